"""Reason codes: complete, bilingual, stable."""

import re

from risk_scoring.domain.features import FEATURES
from risk_scoring.domain.reasons import REASONS

# A code that was published stays; adding one lengthens this list.
PUBLISHED = set(
    re.findall(
        r"R_[A-Z_]+",
        """
        R_AMOUNT_HIGH R_AMOUNT_UNUSUAL R_AMOUNT_RISING R_SPEND_HIGH R_UNUSUAL_HOUR R_VELOCITY R_CUSTOMER_NEW R_NEW_COUNTERPARTY
        R_COUNTERPARTY_NEW R_COUNTERPARTY_BUSY R_COUNTERPARTY_FRAUD R_FAN_IN R_FAN_OUT R_PASS_THROUGH R_FUNDS_RETURN
        R_NEW_DEVICE R_DEVICE_BUSY R_DEVICE_SHARED R_DEVICE_FRAUD R_PLACE_UNUSUAL R_IMPOSSIBLE_TRAVEL R_FOREIGN_COUNTRY
        R_DECLINES R_CARD_TESTING R_TERMINAL_COMPROMISED R_CUSTOMER_COMPROMISED R_MERCHANT_RISKY R_CASH_OUT R_ACCOUNT_TAKEOVER
        R_MULE R_BLOCK_LISTED R_TRUSTED_PAYEE R_CHANNEL_DEFAULT
        """,
    )
)


def test_published_codes_stay():
    assert set(REASONS) == PUBLISHED


def test_every_code_has_both_texts():
    for reason in REASONS.values():
        assert re.fullmatch(r"R_[A-Z_]+", reason.code)
        assert reason.en.isascii() and reason.en
        assert re.search(r"[\u4e00-\u9fff]", reason.zh)
    assert len({reason.zh for reason in REASONS.values()}) == len({reason.en for reason in REASONS.values()}) == len(REASONS)


def test_every_feature_points_to_a_known_code():
    reasons = {feature.name: feature.reason for feature in FEATURES if feature.reason}
    assert set(reasons.values()) <= set(REASONS)
    assert reasons["c_count_1h"] == "R_VELOCITY" and "channel" not in reasons
