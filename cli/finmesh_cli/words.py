"""The words of the answers in English and Chinese. Reason texts are risk-scoring's own, generated into reasons.json by `make docs`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from finmesh.inference.v1 import worker_pb2
from finmesh.risk.v1 import decision_pb2, transaction_pb2
from meshkit.strict_json import parse_json

from finmesh_cli.settings import Language

_CHINESE = {
    "outcome": "处理结果",
    "recommended": "模型与规则建议",
    "score": "欺诈概率",
    "reasons": "原因",
    "decision": "决策编号",
    "trace": "追踪编号",
    "tenant": "租户",
    "channel": "渠道",
    "mode": "渠道模式",
    "amount": "金额",
    "event time": "交易时间",
    "decided": "决策时间",
    "rules hit": "命中规则",
    "degraded": "降级",
    "replayed": "重复请求",
    "versions": "版本",
    "yes, the stored decision was returned": "是，返回已存决策",
    "none": "无",
    "no model answered": "模型未应答",
    "input": "输入位置",
    "purpose": "用途",
    "thresholds": "阈值",
    "audit record": "审计记录",
    "received": "入账时间",
    "happened": "发生时间",
    "build": "程序版本",
    "model file": "模型文件摘要",
    "rules file": "规则文件摘要",
    "thresholds of": "阈值文件摘要",
    "principal": "调用方（密文）",
    "refused": "被拒调用",
    "list entry": "名单变更",
    "in force": "现行版本",
    "before": "此前版本",
    "lost before": "此前丢失记录",
    "generation": "生成编号",
    "look": "查阅",
    "rights": "权限",
    "sequence": "账本序号",
    "question": "问题承诺",
    "scope": "范围承诺",
    "conversation": "会话（密文）",
    "configuration": "配置摘要",
    "answerer": "作答者",
    "passage": "段落（密文）",
    "forbidden": "指名而无权查阅",
    "no answer": "未作答原因",
    "warnings": "提示事项",
    "knowledge": "知识变更",
    "whom": "权限所属（密文）",
    "content": "原件摘要",
    "said": "内容承诺",
    "model": "模型",
    "tokenizer": "分词器摘要",
    "prompt": "提示",
    "schema": "输出格式承诺",
    "sampling": "采样",
    "prefill": "预填充",
    "decode": "解码",
    "handed over": "键值移交",
    "engine": "引擎",
    "answer": "回答",
    "tools": "工具",
    "called": "调用的工具",
    "used": "用量",
    "accelerator": "加速器",
    "failovers": "故障切换",
    "error": "错误",
    "interrupted": "中断",
    "inclusion": "存在性证明",
    "proven in a log of {size} leaves": "已在含 {size} 条记录的日志中验证",
    "the log's key is the one it stated itself: pin it with --log-key": "日志公钥由日志自身提供，请用 --log-key 固定",
    "outcomes": "处理结果",
    "now": "现行",
    "then": "候选",
    "change": "变化",
    "transactions": "笔数",
    "moved": "结果变动",
    "from": "现行结果",
    "to": "候选结果",
    "known fraud": "已知欺诈",
    "caught": "拦截",
    "missed": "漏过",
    "amount caught": "拦截金额",
    "amount missed": "漏过金额",
    "newly caught": "新增拦截",
    "no longer caught": "不再拦截",
    "genuine with friction": "正常交易受阻",
    "rule": "规则",
    "rules": "命中变动最大的规则",
    "hits": "命中",
    "of fraud": "其中欺诈",
    "period": "时段",
    "compared": "参与对比",
    "nothing would change": "没有变化",
    "no decisions were recorded since then": "该时段内没有决策记录",
    "left out: records without what rules read": "未参与：记录缺少规则所需内容",
    "not everything since then was looked at: shorten --since": "未能覆盖整个时段，请缩短 --since",
    "{differ} of {made} decisions of the rules in force come out otherwise": "现行规则的 {made} 笔决策中有 {differ} 笔重算结果与记录不一致",
    "approve": "通过",
    "challenge": "加强验证",
    "review": "人工复核",
    "decline": "拒绝",
    "live": "生效",
    "monitor": "仅监测",
    "off": "关闭",
    "card present": "线下刷卡",
    "ecommerce": "线上支付",
    "transfer": "转账",
    "atm": "自助取现",
    "model in process": "进程内模型",
    "model served": "推理服务代答",
    "rules only": "仅规则",
    "no features": "无特征",
    "deadline": "时限将至",
    "old schema": "旧特征版本",
    "tokens": "词元",
    "prompt {prompt} (found again: {cached}), answer {output}": "提示 {prompt}（复用 {cached}），回答 {output}",
    "speed": "速度",
    "first token {first_ms:.0f} ms, {rate:.1f} tokens/s": "首词 {first_ms:.0f} 毫秒，每秒 {rate:.1f} 词元",
    "engines": "推理引擎",
    "not handed over": "未移交键值缓存",
    "seed": "随机种子",
    "began": "开始",
    "ended": "结束",
    "the answer was cut off at its greatest length": "回答已达长度上限，被截断",
    "goes on with another engine: {reason}": "已换引擎继续：{reason}",
    "{model} answers instead: {reason}": "由备用模型 {model} 作答：{reason}",
    "standby for": "代替模型",
    "stopped": "已停止",
    "nothing was answered yet": "尚无回答",
    "Ctrl-C stops an answer, Ctrl-D or /bye ends": "Ctrl-C 停止回答，Ctrl-D 或 /bye 退出",
    "/new forgets, /usage explains the last answer, /help says this again": "/new 清空对话，/usage 查看上次回答的用量，/help 显示本帮助",
    'several lines: \\ at the end of each but the last, or """ before and after': '多行输入：行尾加 \\，或在前后各输入一行 """',
    "a new conversation": "新对话",
    "release": "发布",
    "longest": "最大长度",
    "licence": "许可证",
    "available": "可用",
    "yes": "是",
    "no": "否",
    "role": "角色",
    "state": "状态",
    "device": "设备",
    "rows": "行",
    "queue": "排队",
    "cache": "缓存",
    "arena": "移交区",
    "out/s": "输出/秒",
    "in/s": "读入/秒",
    "ms": "毫秒",
    "age": "数据时龄",
    "no engine is known": "没有已知的引擎",
    "starting": "启动中",
    "ready": "就绪",
    "draining": "排空中",
    "isolated": "已隔离",
    "probation": "试用中",
    "since": "自",
    "vendor": "厂商",
    "kind": "协议",
    "zone": "区域",
    "grade": "数据级别上限",
    "price": "每小时价格",
    "memory": "显存",
    "kv": "KV",
    "busy": "利用率",
    "generate": "生成",
    "no engine's state has changed": "引擎状态没有变化",
    "intent": "意图",
    "product": "产品",
    "side": "客户方向",
    "underlying": "标的代码",
    "underlying_text": "标的原文",
    "option_type": "期权类型",
    "notional_cny": "名义本金（元）",
    "tenor_months": "期限（月）",
    "strike_pct": "行权价（%）",
    "knock_in_pct": "敲入（%）",
    "knock_out_pct": "敲出（%）",
    "knock_out_step_pct": "每月降敲（%）",
    "lockup_months": "锁定期（月）",
    "coupon_pct": "票息（%）",
    "bond_code": "债券代码",
    "yield_pct": "收益率（%）",
    "face_cny": "券面金额（元）",
    "field": "字段",
    "text": "原文",
    "agreed": "累计条款",
    "quote": "询价",
    "follow_up": "追问",
    "order": "下单",
    "cancel": "撤单",
    "other": "其他",
    "vanilla": "香草期权",
    "snowball": "雪球",
    "bond": "债券",
    "buy": "买",
    "sell": "卖",
    "call": "看涨",
    "put": "看跌",
    "unresolved": "待确认",
    "confidence": "置信度",
    "a person should look at it": "需人工确认",
    "Ctrl-D ends": "Ctrl-D 退出",
}


@cache
def _reasons() -> dict[str, dict[str, str]]:
    texts: dict[str, dict[str, str]] = parse_json((files("finmesh_cli") / "reasons.json").read_bytes())
    return texts


def say(text: str, language: Language) -> str:
    """Return a word or sentence of this module in the wanted language."""
    return _CHINESE.get(text, text) if language is Language.ZH else text


def reason(code: str, language: Language) -> str:
    """Return what a reason code means; the code itself when it is newer than this command."""
    return _reasons().get(code, {}).get(language.value, code)


def outcome(value: int, language: Language) -> str:
    """Return the name of an outcome."""
    return _enum(decision_pb2.Outcome.Name, value, "OUTCOME_", language)


def mode(value: int, language: Language) -> str:
    """Return the name of a channel mode."""
    return _enum(decision_pb2.ChannelMode.Name, value, "CHANNEL_MODE_", language)


def channel(value: int, language: Language) -> str:
    """Return the name of a channel."""
    return _enum(transaction_pb2.Channel.Name, value, "CHANNEL_", language)


def degradation(value: int, language: Language) -> str:
    """Return what was missing."""
    return _enum(decision_pb2.Degradation.Name, value, "DEGRADATION_", language)


def worker_role(value: int, language: Language) -> str:
    """Return what an engine does."""
    return _enum(worker_pb2.WorkerRole.Name, value, "WORKER_ROLE_", language)


def worker_state(value: int, language: Language) -> str:
    """Return the name of an engine's state."""
    return _enum(worker_pb2.WorkerState.Name, value, "WORKER_STATE_", language)


def _enum(name: Callable[[Any], str], value: int, prefix: str, language: Language) -> str:
    try:
        word = name(value).removeprefix(prefix).lower().replace("_", " ")
    except ValueError:  # a newer value than this command knows
        return str(value)
    return say(word, language)
