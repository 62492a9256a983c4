"""D23. Training reads features from the very script that serves them; scores are rounded before thresholds, so that a replay is exact."""

from types import SimpleNamespace

import numpy as np
from finmesh.risk.v1.decision_pb2 import OUTCOME_CHALLENGE, TransactionDecided
from fraud import features as recipe
from risk_scoring.adapters.onnx_model import OnnxModel
from risk_scoring.domain.features import COUNT
from risk_scoring.domain.observation import Observation
from risk_scoring.steps import score

from tests.protocol.desks import channels, desk, model_files
from tests.protocol.makers import NOW, payment, request
from tests.protocol.mutants import assert_fails_without, lua, swapped
from tests.protocol.stores import opened


def history(n: int = 200) -> list[Observation]:
    """Random transactions of a few customers over some days, in order of time."""
    r = np.random.default_rng(7)
    times = NOW + np.sort(r.integers(0, 5 * 86_400, n))
    return [
        Observation(
            n.to_bytes(16, "little"), bytes(16), b"customer%d" % r.integers(5), b"party-%03d" % r.integers(9),
            b"device%02d" % r.integers(4),
            b"account%d" % r.integers(5), int(t), int(r.integers(100, 90_000)),
            int(r.integers(1, 5)), int(t // 3600 % 24), 1, int(r.integers(4)),
        )
        for n, t in enumerate(times)
    ]  # fmt: skip


def columns(rows: list[Observation]) -> SimpleNamespace:
    """The same rows as the recipe loads them."""
    fields = dict(zip(Observation._fields, map(list, zip(*rows, strict=True)), strict=True))
    objects = {
        name: np.array(fields[f"{key}_key"], dtype=object)
        for name, key in (("customer", "customer"), ("counterparty", "counterparty"), ("device", "device"), ("account", "account"))
    }
    numbers = {
        "event_time_us": np.array(fields["time_s"]) * 1_000_000, "reference_minor": np.array(fields["amount_minor"]),
        "channel": np.array(fields["channel"]), "local_hour": np.array(fields["local_hour"]),
        "local_weekday": np.array(fields["local_weekday"]), "place": np.array(fields["place"]),
        "fraud": np.zeros(len(rows), dtype=np.int8), "declined": np.zeros(len(rows), dtype=bool),
        "known_at_us": np.full(len(rows), np.iinfo(np.int64).max),
    }  # fmt: skip

    class Columns(SimpleNamespace):
        def __len__(self) -> int:
            return len(rows)

    return Columns(**objects, **numbers)


async def test_training_and_serving_see_the_same_vectors(private_redis) -> None:
    rows = history()

    async def serve() -> bytes:
        async with opened(private_redis) as shelf:
            vectors = []
            for row in rows:  # one call each, as they come
                shelf.clock.advance(row.time_s - shelf.clock.now_s())
                vectors.append((await shelf.store.observe([row])).vectors)
            return np.concatenate(vectors).tobytes()

    served = await serve()

    async def check() -> None:
        async with opened(private_redis, prefix="train:") as shelf:
            for key in await shelf.keys():
                await shelf.link.command("DEL", key)
        trained = await recipe.compute_features(columns(rows), np.ones(len(rows), dtype=bool), private_redis.url)
        assert trained.tobytes() == served

    await assert_fails_without(
        "D23", check, lua("observe", "local HOURS, DAYS, DELAY_D = 168, 45, 7", "local HOURS, DAYS, DELAY_D = 24, 45, 7")
    )


async def test_scores_meet_thresholds_rounded(private_redis, tmp_path) -> None:
    """A score that differs in the last bits of a float (another runtime, another batch) is the same score."""
    table = channels(tmp_path, card_present={"thresholds": {"challenge": 0.3, "review": 0.6, "decline": 0.9}})

    async def check() -> None:
        outcomes = set()
        for wobble in (-3e-8, 0.0, 3e-8):
            async with desk(private_redis, channel_file=table) as here:
                here.served.scores = [0.3 + wobble]
                (verdict,) = await here.decide(request(payment(1)))
                record = TransactionDecided.FromString(verdict.decision)
                outcomes.add((record.outcome, record.score))
        assert outcomes == {(OUTCOME_CHALLENGE, 0.3)}

    await assert_fails_without("D23", check, swapped(score, "rounded_scores", lambda values: np.asarray(values, dtype=np.float64)))


async def test_a_rows_score_does_not_depend_on_its_batch() -> None:
    model = OnnxModel(model_files())
    vectors = np.abs(np.random.default_rng(3).normal(size=(300, COUNT))).astype(np.float32) * 10
    whole = await model.score(vectors, 1.0)
    alone = np.concatenate([await model.score(vectors[n : n + 1], 1.0) for n in range(len(vectors))])
    assert whole.tobytes() == alone.tobytes()
