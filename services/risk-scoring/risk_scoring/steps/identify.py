"""Give a transaction its keys: decision id, fingerprint, entity keys, amount in the reference currency, local time.

Both paths and every later event of a transaction come through here, so that the same transaction always has the same keys.
"""

from __future__ import annotations

from collections.abc import Callable

from meshkit.crypto.keyed_ids import KeyedIds

from risk_scoring.domain.identity import decision_key, fingerprint_bytes
from risk_scoring.domain.observation import Observation
from risk_scoring.domain.transaction import Transaction

DECISION_KIND = "decision"


class Identifier:
    """``to_reference`` converts (amount in minor units, currency) to minor units of the reference currency; raises InvalidArgument."""

    def __init__(self, keys: KeyedIds, to_reference: Callable[[int, str], int]) -> None:
        self.keys = keys
        self.to_reference = to_reference

    def observation(self, t: Transaction) -> Observation:
        """Return the transaction as the feature store sees it."""
        entity, tenant = self.keys.entity_key, t.tenant
        time_s = t.event_time_us // 1_000_000
        local_s = time_s + t.utc_offset_minutes * 60
        place = 0
        if t.country_code:
            place = int.from_bytes(entity(tenant, f"place|{t.country_code}|{t.region_code}")[:4], "little")
        return Observation(
            decision_id=self.keys.derived_id(DECISION_KIND, decision_key(tenant, t.identity)),
            fingerprint=self.keys.fingerprint(fingerprint_bytes(t)),
            customer_key=entity(tenant, t.customer_id),
            counterparty_key=entity(tenant, t.counterparty_id),
            device_key=entity(tenant, t.device_id),
            account_key=entity(tenant, t.account_id),
            time_s=time_s,
            amount_minor=self.to_reference(t.amount_minor, t.currency),
            channel=t.channel,
            local_hour=local_s // 3600 % 24,
            local_weekday=(local_s // 86_400 + 3) % 7,
            place=place,
        )
