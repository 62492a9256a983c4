"""Answers that must be JSON of a schema, or calls of tools: llguidance compiles the form, a matcher says at each token which may follow.

Compiled by whoever submits, off the loop, within bounds of size and work, and kept by (tokenizer, form); an answer takes a copy of the
compiled matcher. A hand-off and a replay advance it by the tokens so far.

Surprising:

- No white space between tokens of JSON (`whitespace_flexible`): else a model may write blanks until its budget is spent. Who writes
  `x-guidance` into a schema would change that: refused.
- An error inside a matcher is a state, not an exception, and a mask taken in that state means nothing: `get_error` is asked each time.
- Tokens that the grammar forces are chosen like any other, one a step: all rows go on together and bits stay those of single steps.
- `multipleOf` is compiled to an automaton of as many states as the least common multiple of all such numbers in an alternative, and no
  limit of the compiler stops that: four numbers of four digits kept a core busy for minutes. So that multiple is bounded here.
- Where a schema leaves one text alone, the compiler allows the one token that its tokenizer begins it with. Of a text that spells a control
  token that was the control token, and an end in the middle: so control tokens are called otherwise there (`_nameless`).
- The tokenizer's table is made at the start: it takes a quarter of a second, in which nothing else of the process runs.
- The mask allows the end tokens where the JSON may end. Stop tokens that a request adds may come there only, so that what ends is whole.
"""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from hashlib import sha256
from math import inf, lcm
from secrets import token_hex
from threading import Lock
from typing import Any, cast

import llguidance
import numpy as np
import numpy.typing as npt

from engine.llm import errors
from engine.llm.errors import Refused
from engine.llm.generation import Form
from engine.llm.tool_grammar import CallableTool, ToolCalls, first_tool_line, lark

_OPTIONS: dict[str, Any] = {"whitespace_flexible": False, "lenient": False}
_LARGEST_SCHEMA_BYTES = 64 * 1024
_COMPILE_LIMIT_S = 0.5
_COMPILE_LIMIT_A_TOOL_S = 0.05
_LARGEST_MULTIPLE = 10_000
_LIMITS: dict[str, Any] = {
    "max_grammar_size": 100_000,
    "initial_lexer_fuel": 1_000_000,
    "step_lexer_fuel": 200_000,
    "step_max_items": 50_000,
}
_AT_LINE = re.compile(r"at ([0-9]+)\([0-9]+\): (?:failed to compile JSON schema: )?")
_UNSATISFIABLE = "Unsatisfiable schema", "NoExtension"


def grammar_digest(tokenizer_digest: str, form: Form) -> bytes:
    """Return what names a grammar in a ticket: SHA-256 over tokenizer, options and the form's text."""
    stated = [form] if isinstance(form, str) else ["calls", form.canonical()]
    facts = json.dumps([tokenizer_digest, _OPTIONS, *stated], sort_keys=True, ensure_ascii=False)
    return sha256(facts.encode("utf-8", "surrogatepass")).digest()


class GrammarError(Exception):
    """A matcher broke while an answer was written."""


class Matcher:
    """Where one answer stands in its grammar."""

    def __init__(self, inner: Any, vocabulary: int) -> None:
        self._inner, self._vocabulary = inner, vocabulary

    def mask(self, stop_ids: Iterable[int] = ()) -> npt.NDArray[np.bool_]:
        """Return the tokens that may follow, (V) bool. Raises GrammarError."""
        bits = self._inner.compute_bitmask()
        self._check()
        mask = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), bitorder="little")[: self._vocabulary].astype(np.bool_)
        if len(mask) < self._vocabulary:
            mask = np.concatenate([mask, np.zeros(self._vocabulary - len(mask), dtype=np.bool_)])
        whole = self._inner.is_accepting()
        for each in stop_ids:
            mask[each] = whole
        return mask

    @property
    def is_stopped(self) -> bool:
        """Whether nothing but an end can follow."""
        return bool(self._inner.is_stopped())

    def advance(self, token: int) -> None:
        """Take a token. Raises GrammarError when it may not stand here."""
        self._inner.consume_token(token)
        self._check()

    def _check(self) -> None:
        if error := self._inner.get_error():
            raise GrammarError(error.partition("\n")[0])


class Grammars:
    """Compiled forms of one tokenizer, the ``kept`` last used. Thread-safe. ``end_ids`` may follow where an answer may end."""

    def __init__(
        self, tokenizer_json: str, vocabulary: int, end_ids: Sequence[int], kept: int = 64, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._vocabulary = vocabulary
        self._tokenizer = llguidance.LLTokenizer(_nameless(tokenizer_json), n_vocab=vocabulary, eos_token=list(end_ids))
        self._kept, self._clock, self._lock = kept, clock, Lock()
        self._compiled: OrderedDict[Form, Any] = OrderedDict()  # a form: a matcher at the beginning, or Refused

    def matcher(self, form: Form, emitted: Sequence[int] = ()) -> Matcher:
        """Return a matcher that has taken ``emitted``. Raises Refused SCHEMA_INVALID, GRAMMAR_UNSATISFIABLE, or TOKENS_INVALID."""
        compiled = self._lookup(form)
        if isinstance(compiled, Refused):
            raise Refused(compiled.reason, compiled.message)
        matcher = Matcher(compiled.deep_copy(), self._vocabulary)
        try:
            for token in emitted:
                matcher.advance(token)
        except GrammarError as error:
            raise Refused(errors.TOKENS_INVALID, f"the tokens so far break the schema: {error}") from error
        return matcher

    def _lookup(self, form: Form) -> Any:
        with self._lock:
            if (found := self._compiled.get(form)) is not None:
                self._compiled.move_to_end(form)
                return found
        compiled: Any
        try:
            compiled = self._compile(form)
        except Refused as refused:  # kept too: it costs as much to find again
            compiled = refused
        with self._lock:
            self._compiled[form] = compiled
            while len(self._compiled) > self._kept:
                self._compiled.popitem(last=False)
        return compiled

    def _compile(self, form: Form) -> Any:
        limit_s, limits = _COMPILE_LIMIT_S, _LIMITS
        if isinstance(form, ToolCalls):
            limit_s += _COMPILE_LIMIT_A_TOOL_S * len(form.tools)
            limits = limits | {"max_grammar_size": limits["max_grammar_size"] * 4}
        begun = self._clock()
        text = _grammar(form)
        inner = llguidance.LLMatcher(self._tokenizer, text, log_level=0, limits=llguidance.LLParserLimits(**limits, verbose_errors=False))
        if not inner.get_error():
            inner.compute_bitmask()
        if complaint := inner.get_error():
            raise _refused(complaint.partition("\n")[0], form)
        if (spent := self._clock() - begun) > limit_s:
            raise Refused(errors.SCHEMA_INVALID, f"took {spent:.1f} s to compile, at most {limit_s:g} s are allowed")
        return inner


def _nameless(tokenizer_json: str) -> str:
    """Return a tokenizer whose control tokens have names that nobody can know: a schema that spells one means the letters."""
    document, nonce = json.loads(tokenizer_json), token_hex(16)
    model = document["model"]
    for entry in document["added_tokens"]:
        if entry["special"]:
            known, name = entry["content"], f"<|{nonce} {entry['id']}|>"
            entry["content"] = name
            if known in model["vocab"]:
                model["vocab"][name] = model["vocab"].pop(known)
            if model.get("unk_token") == known:
                model["unk_token"] = name
    document["post_processor"] = None  # it may name them, and what is forced is encoded without it
    return json.dumps(document, ensure_ascii=False)


def _grammar(form: Form) -> str:
    """Return a form as llguidance reads it. Raises Refused."""
    try:
        if isinstance(form, str):
            _checked(form)
            return llguidance.LLMatcher.grammar_from_json_schema(form, overrides=cast(Any, _OPTIONS))
        if fault := form.fault():
            raise Refused(errors.SCHEMA_INVALID, fault)
        text = _checked(form.text_schema) if form.text_schema else None
        parameters = [_tool(tool) for tool in form.tools]
        return llguidance.LLMatcher.grammar_from_lark(lark(form, _OPTIONS, parameters, text))
    except ValueError as error:
        raise Refused(errors.SCHEMA_INVALID, str(error)) from error


def _refused(complaint: str, form: Form) -> Refused:
    """Return the refusal of what does not compile; the compiler names a line of the grammar, and each tool has one."""
    whose = ""
    if isinstance(form, ToolCalls) and (at := _AT_LINE.match(complaint)):
        number = int(at[1]) - first_tool_line(form)
        whose, complaint = f"tool {form.tools[number].name}: " if number >= 0 else "", complaint[at.end() :]
    reason = errors.GRAMMAR_UNSATISFIABLE if complaint.startswith(_UNSATISFIABLE) else errors.SCHEMA_INVALID
    return Refused(reason, whose + complaint)


def _tool(tool: CallableTool) -> dict[str, Any]:
    """Return the schema of a tool's arguments. Raises Refused that names the tool."""
    try:
        return _checked(tool.parameters)
    except Refused as refused:
        raise Refused(refused.reason, f"tool {tool.name}: {refused.message}") from refused


def _checked(schema: str) -> dict[str, Any]:
    """Return a schema. Raises Refused SCHEMA_INVALID for what is too large, no JSON object, ambiguous, or would change the options."""
    if len(schema) > _LARGEST_SCHEMA_BYTES or len(schema.encode("utf-8", "replace")) > _LARGEST_SCHEMA_BYTES:
        raise Refused(errors.SCHEMA_INVALID, f"larger than {_LARGEST_SCHEMA_BYTES} bytes")
    try:
        content = json.loads(schema, object_pairs_hook=_once)
        schema.encode()
    except (ValueError, RecursionError) as error:
        raise Refused(errors.SCHEMA_INVALID, f"no JSON: {error}") from error
    if not isinstance(content, dict):
        raise Refused(errors.SCHEMA_INVALID, "a schema is a JSON object")
    if "x-guidance" in content:
        raise Refused(errors.SCHEMA_INVALID, "x-guidance is not for callers")
    _check_multiples(content)
    return content


def _check_multiples(content: Any) -> None:
    """Raise Refused SCHEMA_INVALID when what all `multipleOf` have in common is too large, wherever they stand; tens count for nothing."""
    common, waiting = 1, [content]
    while waiting:
        item = waiting.pop()
        waiting += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        number = item.get("multipleOf") if isinstance(item, dict) else None
        if isinstance(number, int | float) and not isinstance(number, bool) and 0 < number < inf:
            digits = "".join(map(str, Decimal(str(number)).as_tuple().digits))
            common = lcm(common, int(digits.rstrip("0")))
        if common > _LARGEST_MULTIPLE:
            raise Refused(errors.SCHEMA_INVALID, f"the least common multiple of every multipleOf is above {_LARGEST_MULTIPLE}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return content
