"""What written documents say between the planted words: sentences in both languages, as product terms and notices have them. Pure."""

import random

_SENTENCES = (
    "等待期自合同生效之日起计算，等待期内发生的保险事故，本公司不承担给付责任。",
    "投保人可以在犹豫期内解除合同，本公司在扣除工本费后退还全部保险费。",
    "申请人应当提供真实的资料，并对资料的完整性负责。",
    "贷款利率按照合同约定执行，逾期部分加收罚息。",
    "客户经理应当在三个工作日内回复客户的书面询问。",
    "本产品不保证本金，业绩比较基准不代表未来收益。",
    "因不可抗力造成的损失，双方互不承担责任。",
    "The account holder gives notice in writing at least thirty days before the term ends.",
    "Net interest income rose as the loan book grew and funding costs fell.",
    "Fees are charged at the end of each month and shown on the statement.",
    "A complaint is answered within ten working days by the branch that received it.",
    "The insurer pays the surrender value within thirty days of the request.",
    "Collateral is valued once a year, and whenever its market price falls by a fifth.",
)


def paragraph(rng: random.Random, sentences: int) -> str:
    """So many sentences."""
    return " ".join(rng.choice(_SENTENCES) for _ in range(sentences))
