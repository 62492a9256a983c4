"""Fraud typologies, one file each: every one injects episodes of transactions with ground truth into genuine days.

`SHARE` says which part of the fraud each contributes. The registry's order is that of schema.TYPOLOGIES.
"""

from simbank.typologies.account_takeover import inject_account_takeover
from simbank.typologies.amount_escalation import inject_amount_escalation
from simbank.typologies.card_testing import inject_card_testing
from simbank.typologies.compromised_terminal import inject_compromised_terminal
from simbank.typologies.episode import Injector, Scene
from simbank.typologies.mule_fan import inject_mule_fan

INJECTORS: tuple[Injector, ...] = (
    inject_card_testing,
    inject_account_takeover,
    inject_mule_fan,
    inject_compromised_terminal,
    inject_amount_escalation,
)
SHARE: tuple[float, ...] = (0.16, 0.22, 0.22, 0.28, 0.12)

__all__ = ["INJECTORS", "SHARE", "Injector", "Scene"]
