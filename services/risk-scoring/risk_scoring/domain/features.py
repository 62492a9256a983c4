"""The feature schema: what each position of the vector means. `adapters/scripts/observe.lua` writes vectors in exactly this order.

Order, names and units are one version. A new feature goes to the end, raises ``SCHEMA_VERSION``, and needs `state.lua`, `observe.lua` and a
retraining. Windows end at the event's own time and do not contain the event itself. Amounts are in major units of the reference currency.
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA_VERSION = 1
NEVER_S = 2_592_000.0  # thirty days: "not within memory" for elapsed times


@dataclass(frozen=True, slots=True)
class Feature:
    """One position of the vector.

    ``group``: request, customer, counterparty, device, label or graph. ``default``: the value when the entity is unknown.
    ``reason``: code shown when the feature pushes the score up (see domain/reasons.py); empty for none.
    """

    name: str
    unit: str
    group: str
    default: float
    reason: str


FEATURES: tuple[Feature, ...] = (
    Feature("amount_log", "ln(1 + major units)", "request", 0.0, "R_AMOUNT_HIGH"),
    Feature("channel", "code of Channel", "request", 0.0, ""),
    Feature("local_hour", "hour", "request", 0.0, "R_UNUSUAL_HOUR"),
    Feature("local_weekday", "0 = Monday", "request", 0.0, ""),
    Feature("c_age_d", "days", "customer", 0.0, "R_CUSTOMER_NEW"),
    Feature("c_count_1m", "count", "customer", 0.0, "R_VELOCITY"),
    Feature("c_count_10m", "count", "customer", 0.0, "R_VELOCITY"),
    Feature("c_count_1h", "count", "customer", 0.0, "R_VELOCITY"),
    Feature("c_count_24h", "count", "customer", 0.0, "R_VELOCITY"),
    Feature("c_sum_24h", "major units", "customer", 0.0, "R_SPEND_HIGH"),
    Feature("c_count_7d", "count", "customer", 0.0, "R_VELOCITY"),
    Feature("c_mean_7d", "major units", "customer", 0.0, "R_SPEND_HIGH"),
    Feature("c_count_30d", "count", "customer", 0.0, ""),
    Feature("c_mean_30d", "major units", "customer", 0.0, ""),
    Feature("c_amount_z_30d", "standard deviations", "customer", 0.0, "R_AMOUNT_UNUSUAL"),
    Feature("c_amount_over_max_30d", "ratio", "customer", 0.0, "R_AMOUNT_UNUSUAL"),
    Feature("c_since_last_s", "seconds", "customer", NEVER_S, "R_VELOCITY"),
    Feature("c_new_counterparty", "0 or 1", "customer", 0.0, "R_NEW_COUNTERPARTY"),
    Feature("c_counterparties_24h", "count", "customer", 0.0, "R_FAN_OUT"),
    Feature("c_new_device", "0 or 1", "customer", 0.0, "R_NEW_DEVICE"),
    Feature("c_devices_7d", "count", "customer", 0.0, "R_NEW_DEVICE"),
    Feature("c_geo_changed", "0 or 1", "customer", 0.0, "R_PLACE_UNUSUAL"),
    Feature("c_geo_gap_s", "seconds", "customer", NEVER_S, "R_PLACE_UNUSUAL"),
    Feature("c_declined_24h", "count", "customer", 0.0, "R_DECLINES"),
    Feature("c_small_1h", "count", "customer", 0.0, "R_CARD_TESTING"),
    Feature("c_rising_24h", "count", "customer", 0.0, "R_AMOUNT_RISING"),
    Feature("p_age_d", "days", "counterparty", 0.0, "R_COUNTERPARTY_NEW"),
    Feature("p_count_1h", "count", "counterparty", 0.0, "R_COUNTERPARTY_BUSY"),
    Feature("p_count_24h", "count", "counterparty", 0.0, "R_COUNTERPARTY_BUSY"),
    Feature("p_count_7d", "count", "counterparty", 0.0, ""),
    Feature("p_mean_30d", "major units", "counterparty", 0.0, ""),
    Feature("p_amount_z_30d", "standard deviations", "counterparty", 0.0, "R_AMOUNT_UNUSUAL"),
    Feature("p_since_last_s", "seconds", "counterparty", NEVER_S, ""),
    Feature("p_payers_24h", "count", "counterparty", 0.0, "R_FAN_IN"),
    Feature("v_age_d", "days", "device", 0.0, "R_NEW_DEVICE"),
    Feature("v_count_24h", "count", "device", 0.0, "R_DEVICE_BUSY"),
    Feature("v_customers_7d", "count", "device", 0.0, "R_DEVICE_SHARED"),
    Feature("c_fraud_30d", "count", "label", 0.0, "R_CUSTOMER_COMPROMISED"),
    Feature("p_fraud_30d", "count", "label", 0.0, "R_COUNTERPARTY_FRAUD"),
    Feature("p_risk_1d", "ratio", "label", 0.0, "R_COUNTERPARTY_FRAUD"),
    Feature("p_risk_7d", "ratio", "label", 0.0, "R_COUNTERPARTY_FRAUD"),
    Feature("p_risk_30d", "ratio", "label", 0.0, "R_COUNTERPARTY_FRAUD"),
    Feature("v_fraud_30d", "count", "label", 0.0, "R_DEVICE_FRAUD"),
    Feature("g_payer_fan_in_24h", "count", "graph", 0.0, "R_FAN_IN"),
    Feature("g_pass_through_24h", "ratio", "graph", 0.0, "R_PASS_THROUGH"),
    Feature("g_since_inflow_s", "seconds", "graph", NEVER_S, "R_PASS_THROUGH"),
    Feature("g_return_hops", "hops, 0 = none", "graph", 0.0, "R_FUNDS_RETURN"),
)

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
INDEX: dict[str, int] = {name: position for position, name in enumerate(NAMES)}
COUNT = len(FEATURES)
GRAPH_AND_LABEL: frozenset[str] = frozenset(feature.name for feature in FEATURES if feature.group in {"graph", "label"})
