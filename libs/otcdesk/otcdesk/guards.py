"""What is not for the model: texts that say nothing, that are too long, in scripts that no inquiry is written in; attempts to instruct it.

Surprising: whoever tries to instruct the parser is read as OTHER whatever the model wrote. A client who says "ignore my last message" is
none of them: only words for instructions, prompts and the parser's own answers count.
"""

from __future__ import annotations

import re
import unicodedata

from otcdesk.fold import Folded

LONGEST = 512
LONGEST_RAW = 4_096
"""Characters: of a folded text, and of one before it is folded."""
_STRANGE = (
    "HIRAGANA",
    "KATAKANA",
    "HANGUL",
    "CYRILLIC",
    "ARABIC",
    "THAI",
    "HEBREW",
    "GREEK",
    "DEVANAGARI",
    "BENGALI",
    "TAMIL",
    "ARMENIAN",
    "GEORGIAN",
)
_LEAST_STRANGE_SHARE = 0.3
_TERMS = r"(?:票息|锁|期限|名本|本金|敲|行权|执行|价|规模|方向|保证金|票|收益)"
"""A client may say: 忽略刚才的票息要求."""
_ANSWERS = r"(?:order|quote|cancel|follow_?up|json|intent|buy|sell)"
_INSTRUCTIONS = re.compile(
    rf"""(?:忽略|无视|忘记|忘掉|不要理会|绕过|跳过)(?![^,。;\n]{{0,10}}{_TERMS})[^,。;\n]{{0,14}}(?:指令|指示|规则|提示词?|设定|限制|要求|约束)
    |(?:忽略|无视|忘记|忘掉)(?:以上|上述|上面|之前|前面)(?:的?所有|的?全部|的?内容|的?一切|的?文字)?[^\w]*(?:.{{0,6}})(?:返回|输出|{_ANSWERS})
    |(?:ignore|disregard|forget|override|bypass)\b[^,.;\n]{{0,30}}\b(?:instruction|instructions|prompt|prompts|rule|rules)\b
    |(?:ignore|disregard|forget|override|bypass)\b[^,.;\n]{{0,30}}\b(?:above|previous|everything|before)\b
        [^\n]{{0,20}}\b(?:return|output|say|answer|respond|reply|print|write|you|set\s+(?:all|every|intent|side|notional))\b
    |(?:把|将)[^,。;\n]{{0,14}}(?:指令|指示|规则|提示词?)[^,。;\n]{{0,8}}(?:忘|忽略|无视|删)
    |(?:忘记|忘了|忘掉)你是|不要管(?:上面|以上|前面)[^\n]{{0,12}}(?:返回|输出)|(?:所有|每个)字段|没有限制的\s*(?:ai|模型|助手)
    |(?:把|将)\s*(?:intent|side|notional)\s*设|\byour\s+(?:system\s+)?(?:prompt|instructions)\b|\boutput\s+only\b
    |(?:系统(?:提示词?|指令)|提示词|开发者模式|调试模式|system\s*prompt|jailbreak|developer\s+mode|\[system\])
    |(?:^|[\s,。;:\n])(?:system|assistant)\s*:
    |<\|?\s*(?:im_start|im_end|end|system|text|json)\b
    |</?s>
    |['"]?intent['"]?\s*[:=设填为改置]
    |(?:返回|输出|填成?|设[为置成]|return|output|respond(?:\s+with)?|answer)\s*(?:"|'|\{{)?\s*{_ANSWERS}\b
    |(?:你现在是|从现在起你|假装你?|扮演|pretend|you\s+are\s+now\s+(?:an?|in)\b|(?:^|[^\w\s]\s*|\b(?:please|must|now|and|to)\s+)act\s+as)
    """,
    re.VERBOSE,
)


class TextRefused(ValueError):
    """The text can't be an inquiry. ``reason``: TEXT_EMPTY, TEXT_TOO_LONG or LANGUAGE_UNSUPPORTED."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def check_raw(text: str) -> None:
    """Raise TextRefused for a text that is not worth folding."""
    if len(text) > LONGEST_RAW:
        raise TextRefused("TEXT_TOO_LONG", f"at most {LONGEST} characters")


def check(text: Folded) -> None:
    """Raise TextRefused."""
    if not any(each.isalnum() for each in text.text):
        raise TextRefused("TEXT_EMPTY", "there is nothing to read but marks")
    if len(text.text) > LONGEST:
        raise TextRefused("TEXT_TOO_LONG", f"at most {LONGEST} characters")
    letters = [each for each in text.text if each.isalpha()]
    strange = sum(unicodedata.name(each, "").startswith(_STRANGE) for each in letters)
    if strange and strange >= _LEAST_STRANGE_SHARE * len(letters):
        raise TextRefused("LANGUAGE_UNSUPPORTED", "inquiries are read in Chinese and English")


def is_instructing(text: str) -> bool:
    """Whether a folded text tries to instruct whoever reads it."""
    return _INSTRUCTIONS.search(text) is not None
