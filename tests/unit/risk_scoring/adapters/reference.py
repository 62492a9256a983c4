"""The features of observe.lua once more: slow, from the whole history, without tiles that move.

An entity is the list of what happened to it. What a tile would have dropped (an event 45 days late) is dropped when it arrives; all
windows are counted in whole hours and days before the entity's newest hour, as the tiles do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from risk_scoring.domain.features import NAMES
from risk_scoring.domain.observation import Observation

HOUR, DAY, NEVER = 3_600, 86_400, 2_592_000
TRANSFER = 3


@dataclass
class Event:
    """One transaction of an entity. ``live``: not taken back."""

    time: int
    amount: int
    live: bool = True


@dataclass
class Entity:
    """A customer, counterparty or device."""

    first: int
    newest_hour: int
    events: dict[bytes, Event] = field(default_factory=dict)
    recent: list[tuple[int, int]] = field(default_factory=list)  # at most twelve, by time
    peers: dict[bytes, int] = field(default_factory=dict)
    devices: dict[bytes, int] = field(default_factory=dict)
    place: int = 0
    place_time: int = 0

    def within(self, hours: int) -> list[Event]:
        """Events of the last hours."""
        return [each for each in self.events.values() if each.time // HOUR > self.newest_hour - hours]

    def month(self) -> list[Event]:
        """Events of the last seven days by hour and of the days behind them up to the thirtieth."""
        today = self.newest_hour // 24
        week = self.within(168)
        return week + [each for each in self.events.values() if each not in week and each.time // DAY > today - 30]

    def add(self, number: bytes, time: int, amount: int) -> None:
        """Count one event."""
        hour = time // HOUR
        if hour > self.newest_hour - 168 or hour // 24 > self.newest_hour // 24 - 45:
            self.events[number] = Event(time, amount)
        at = len(self.recent)
        while at and self.recent[at - 1][0] > time:
            at -= 1
        self.recent.insert(at, (time, amount))
        del self.recent[:-12]


def live(events: list[Event]) -> list[int]:
    """Amounts that were not taken back."""
    return [each.amount for each in events if each.live]


def mean(amounts: list[int]) -> float:
    """In major units."""
    return sum(amounts) / len(amounts) / 100 if amounts else 0.0


def deviation(amount: int, amounts: list[int]) -> float:
    """Standard deviations from the mean."""
    n = len(amounts)
    if n < 3:
        return 0.0
    middle = sum(amounts) / n
    spread = math.sqrt(max(sum(each * each for each in amounts) / n - middle * middle, 0.0))
    return (amount - middle) / max(spread, middle * 0.1, 100)


def since(times: dict[bytes, int], time: int, window: int) -> int:
    """How many were seen within the window."""
    return sum(each > time - window for each in times.values())


class Reference:
    """Takes one transaction at a time."""

    def __init__(self) -> None:
        self.entities: dict[tuple[str, bytes], Entity] = {}
        self.edges: dict[bytes, dict[bytes, int]] = {}

    def _entity(self, kind: str, key: bytes, time: int) -> Entity:
        entity = self.entities.get((kind, key)) or Entity(time, time // HOUR)
        entity.newest_hour = max(entity.newest_hour, time // HOUR)
        return entity

    def observe(self, tx: Observation) -> dict[str, float]:
        """Return the features by name, then count the transaction."""
        values = dict.fromkeys(NAMES, 0.0)
        t = tx.time_s
        values |= {"amount_log": math.log(1 + tx.amount_minor / 100), "channel": tx.channel}
        values |= {"local_hour": tx.local_hour, "local_weekday": tx.local_weekday}
        self._customer(values, self._entity("c", tx.customer_key, t), tx)
        values["p_since_last_s"] = values["g_since_inflow_s"] = NEVER
        if tx.counterparty_key:
            self._party(values, self._entity("p", tx.counterparty_key, t), tx)
        if tx.device_key:
            device = self._entity("v", tx.device_key, t)
            values["v_age_d"] = max(t - device.first, 0) / DAY
            values["v_count_24h"] = len(live(device.within(24)))
            values["v_customers_7d"] = since(device.peers, t, 7 * DAY)
        if tx.channel == TRANSFER and tx.counterparty_key:
            self._graph(values, tx)
        self._count(tx)
        return values

    def _customer(self, values: dict[str, float], c: Entity, tx: Observation) -> None:
        t = tx.time_s
        past = [(time, amount) for time, amount in reversed(c.recent) if time <= t]
        for name, window in (("c_count_1m", 60), ("c_count_10m", 600), ("c_count_1h", HOUR)):
            values[name] = sum(t - time < window for time, _ in past)
        values["c_small_1h"] = sum(t - time < HOUR and amount < 2000 for time, amount in past)
        above = tx.amount_minor
        for time, amount in past:
            if t - time >= DAY or amount >= above:
                break
            values["c_rising_24h"] += 1
            above = amount
        values["c_since_last_s"] = t - past[0][0] if past else NEVER
        day, week, month = live(c.within(24)), live(c.within(168)), live(c.month())
        values |= {"c_age_d": max(t - c.first, 0) / DAY, "c_count_24h": len(day), "c_sum_24h": sum(day) / 100}
        values |= {"c_count_7d": len(week), "c_mean_7d": mean(week), "c_count_30d": len(month), "c_mean_30d": mean(month)}
        values["c_amount_z_30d"] = deviation(tx.amount_minor, month)
        top = max((each.amount for each in c.month()), default=0)
        values["c_amount_over_max_30d"] = tx.amount_minor / top if top else 0.0
        values["c_new_counterparty"] = bool(tx.counterparty_key) and tx.counterparty_key not in c.peers
        values["c_counterparties_24h"] = since(c.peers, t, DAY)
        values["c_new_device"] = bool(tx.device_key) and tx.device_key not in c.devices
        values["c_devices_7d"] = since(c.devices, t, 7 * DAY)
        values["c_geo_changed"] = bool(c.place and tx.place and c.place != tx.place)
        values["c_geo_gap_s"] = max(t - c.place_time, 0) if values["c_geo_changed"] else NEVER

    def _party(self, values: dict[str, float], p: Entity, tx: Observation) -> None:
        t, month = tx.time_s, live(p.month())
        hour = sum(t - HOUR < time <= t for time, _ in p.recent)
        if hour >= 12:
            hour = max(hour, len(live([each for each in p.events.values() if each.time // HOUR == p.newest_hour])))
        values |= {"p_age_d": max(t - p.first, 0) / DAY, "p_count_1h": hour, "p_count_24h": len(live(p.within(24)))}
        values |= {"p_count_7d": len(live(p.within(168))), "p_mean_30d": mean(month)}
        values["p_amount_z_30d"] = deviation(tx.amount_minor, month)
        values["p_since_last_s"] = max(t - p.recent[-1][0], 0) if p.recent else NEVER
        values["p_payers_24h"] = since(p.peers, t, DAY)

    def _graph(self, values: dict[str, float], tx: Observation) -> None:
        t = tx.time_s
        if ("p", tx.account_key) in self.entities:
            own = self.entities["p", tx.account_key]
            values["g_payer_fan_in_24h"] = since(own.peers, t, DAY)
            newest = max(own.newest_hour, t // HOUR)
            inflow = sum(live([each for each in own.events.values() if each.time // HOUR > newest - 24]))
            values["g_pass_through_24h"] = tx.amount_minor / inflow if inflow > 0 else 0.0
            values["g_since_inflow_s"] = max(t - own.recent[-1][0], 0)
        frontier = [tx.counterparty_key]
        for hop in (1, 2, 3):
            reached = [to for at in frontier for to, time in self.edges.get(at, {}).items() if time > t - 3 * DAY]
            if tx.account_key in reached:
                values["g_return_hops"] = hop
                return
            frontier = reached

    def _count(self, tx: Observation) -> None:
        t, number = tx.time_s, tx.decision_id
        c = self.entities.setdefault(("c", tx.customer_key), self._entity("c", tx.customer_key, t))
        c.add(number, t, tx.amount_minor)
        if tx.counterparty_key:
            c.peers[tx.counterparty_key] = max(t, c.peers.get(tx.counterparty_key, t))
            p = self.entities.setdefault(("p", tx.counterparty_key), self._entity("p", tx.counterparty_key, t))
            p.add(number, t, tx.amount_minor)
            p.peers[tx.customer_key] = max(t, p.peers.get(tx.customer_key, t))
        if tx.device_key:
            c.devices[tx.device_key] = max(t, c.devices.get(tx.device_key, t))
            v = self.entities.setdefault(("v", tx.device_key), self._entity("v", tx.device_key, t))
            v.add(number, t, tx.amount_minor)
            v.peers[tx.customer_key] = max(t, v.peers.get(tx.customer_key, t))
        if tx.place and t >= c.place_time:
            c.place, c.place_time = tx.place, t
        if tx.channel == TRANSFER and tx.counterparty_key:
            edges = self.edges.setdefault(tx.account_key, {})
            edges[tx.counterparty_key] = max(t, edges.get(tx.counterparty_key, t))

    def reverse(self, tx: Observation) -> None:
        """Take a transaction back."""
        for kind, key in (("c", tx.customer_key), ("p", tx.counterparty_key), ("v", tx.device_key)):
            event = self.entities[kind, key].events.get(tx.decision_id) if key else None
            if event is not None:
                event.live = False
