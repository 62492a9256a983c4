"""D1. The decision key: tenant and UETR, or tenant and all five parts of a card message. STAN and RRN alone repeat."""

from dataclasses import replace

from risk_scoring.domain import identity
from risk_scoring.domain.identity import CardIdentity, CreditTransferIdentity, Uetr, decision_key
from risk_scoring.steps import identify

from tests.protocol.makers import identifier, payment, request, uetr
from tests.protocol.mutants import assert_fails_without, swapped

CARD = CardIdentity("01020000", "000123", "412345678901", "20260921", "0100")


def ids(*pairs):
    """Decision ids as the process derives them."""
    return [identifier().keys.derived_id(identify.DECISION_KIND, identify.decision_key(tenant, each)) for tenant, each in pairs]


async def test_stan_and_rrn_repeat_between_acquirers_and_days() -> None:
    others = [
        replace(CARD, acquirer_id="01030000"),
        replace(CARD, transmission_date="20260922"),
        replace(CARD, message_type="0200"),
        replace(CARD, stan="000124"),
        replace(CARD, rrn="412345678902"),
    ]

    def check() -> None:
        found = ids(("bank-a", CARD), ("bank-b", CARD), *(("bank-a", other) for other in others))
        assert len(set(found)) == len(found)
        assert ids(("bank-a", CARD)) == ids(("bank-a", replace(CARD)))

    def stan_and_rrn_alone(tenant, each):
        return f"{tenant}|{each.stan}|{each.rrn}".encode()

    await assert_fails_without("D1", check, swapped(identify, "decision_key", stan_and_rrn_alone))


async def test_tenants_are_apart() -> None:
    def check() -> None:
        a, b = request(payment(1)), request(payment(1, tenant="bank-b"))
        assert a.decision_id != b.decision_id
        assert a.observation.customer_key != b.observation.customer_key

    def without_tenant(tenant, each):
        return decision_key("", each)

    await assert_fails_without("D1", check, swapped(identify, "decision_key", without_tenant))


async def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    def check() -> None:
        pairs = [
            ("a", CreditTransferIdentity("BKCHCNBJ", "1", "23", 4)),
            ("a", CreditTransferIdentity("BKCHCNBJ", "12", "3", 4)),
            ("a", CreditTransferIdentity("BKCHCNBJ1", "2", "3", 4)),
            ("a", Uetr(uetr(1))),
        ]
        assert len({identity.decision_key(*pair) for pair in pairs}) == len(pairs)

    def joined(kind, parts):
        return kind + "".join(parts).encode()

    await assert_fails_without("D1", check, swapped(identity, "_packed", joined))


def test_the_same_transaction_has_the_same_id_whatever_else_the_message_says() -> None:
    assert request(payment(1)).decision_id == request(payment(1, utc_offset_minutes=0), partition=2, offset=9).decision_id
