"""The fixed, versioned list of reason codes, with the texts a reviewer and a customer may read.

A code is never renamed or reused; the test pins those that were published. Which feature stands for which code is said in `features.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReasonText:
    """One reason code in English and Chinese."""

    code: str
    en: str
    zh: str


_LIST: tuple[ReasonText, ...] = (
    ReasonText("R_AMOUNT_HIGH", "The amount is high", "交易金额较高"),
    ReasonText("R_AMOUNT_UNUSUAL", "The amount is unusual for this customer or counterparty", "交易金额与客户或对手方的习惯不符"),
    ReasonText("R_AMOUNT_RISING", "Amounts rise from payment to payment", "短时间内交易金额逐笔递增"),
    ReasonText("R_SPEND_HIGH", "Spending within a short time is high", "短期累计支出较高"),
    ReasonText("R_UNUSUAL_HOUR", "The time of day is unusual", "交易时段异常"),
    ReasonText("R_VELOCITY", "Many payments within a short time", "短时间内交易过于频繁"),
    ReasonText("R_CUSTOMER_NEW", "The customer relationship is new", "客户关系建立时间较短"),
    ReasonText("R_NEW_COUNTERPARTY", "The customer has not paid this counterparty before", "首次向该对手方付款"),
    ReasonText("R_COUNTERPARTY_NEW", "The counterparty is new to the bank", "该对手方为本行新见对手方"),
    ReasonText("R_COUNTERPARTY_BUSY", "The counterparty receives unusually many payments", "对手方收款异常频繁"),
    ReasonText("R_COUNTERPARTY_FRAUD", "Fraud was reported at this counterparty", "该对手方近期有欺诈报告"),
    ReasonText("R_FAN_IN", "Many payers send to one receiving account", "多个付款方集中转入同一账户"),
    ReasonText("R_FAN_OUT", "One payer sends to many counterparties", "同一付款方分散转出至多个对手方"),
    ReasonText("R_PASS_THROUGH", "Money received is sent on at once", "资金快进快出"),
    ReasonText("R_FUNDS_RETURN", "Funds return to where they came from", "资金回流至来源账户"),
    ReasonText("R_NEW_DEVICE", "The device is new for this customer", "客户首次使用该设备"),
    ReasonText("R_DEVICE_BUSY", "The device is used unusually often", "设备使用异常频繁"),
    ReasonText("R_DEVICE_SHARED", "Several customers use the device", "多名客户共用该设备"),
    ReasonText("R_DEVICE_FRAUD", "Fraud was reported from this device", "该设备近期有欺诈报告"),
    ReasonText("R_PLACE_UNUSUAL", "The place is unusual for this customer", "交易地点与客户习惯不符"),
    ReasonText("R_IMPOSSIBLE_TRAVEL", "Two places in too short a time", "短时间内出现在两地，行程不可能"),
    ReasonText("R_FOREIGN_COUNTRY", "The payment takes place abroad", "境外交易"),
    ReasonText("R_DECLINES", "Earlier payments were declined", "此前有交易被拒绝"),
    ReasonText("R_CARD_TESTING", "Small payments that test a card", "疑似小额试卡"),
    ReasonText("R_TERMINAL_COMPROMISED", "The terminal seems to be compromised", "终端疑似被侵入"),
    ReasonText("R_CUSTOMER_COMPROMISED", "Fraud was reported on this customer's account", "该客户账户近期有欺诈报告"),
    ReasonText("R_MERCHANT_RISKY", "The merchant's trade is prone to fraud", "商户类别欺诈风险较高"),
    ReasonText("R_CASH_OUT", "Cash is withdrawn after unusual events", "异常后取现"),
    ReasonText("R_ACCOUNT_TAKEOVER", "Someone else seems to use the account", "账户疑似被盗用"),
    ReasonText("R_MULE", "The account seems to pass on fraudulent money", "疑似涉诈资金中转账户"),
    ReasonText("R_BLOCK_LISTED", "An entity is on the block list", "命中黑名单"),
    ReasonText("R_TRUSTED_PAYEE", "The customer trusts this payee", "客户信任的收款人"),
    ReasonText("R_CHANNEL_DEFAULT", "The channel is switched off; its default answer applies", "渠道已关闭，采用默认结果"),
)

REASONS: dict[str, ReasonText] = {reason.code: reason for reason in _LIST}
