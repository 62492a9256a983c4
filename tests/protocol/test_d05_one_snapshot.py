"""D5. One immutable snapshot decides a batch, the model version is named, and a vector of an older schema is decided by rules alone."""

from dataclasses import replace
from hashlib import sha256
from itertools import count
from types import SimpleNamespace

import numpy as np
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh.risk.v1.decision_pb2 import DEGRADATION_OLD_SCHEMA, TransactionDecided
from meshkit.errors import Unavailable
from risk_scoring.adapters import redis_feature_store
from risk_scoring.adapters.triton_model import TritonModel
from risk_scoring.domain.features import COUNT, SCHEMA_VERSION
from risk_scoring.domain.observation import New, StoredVector
from risk_scoring.domain.snapshot import Snapshot
from risk_scoring.steps.decide import Decider

from tests.protocol.desks import ROOT, RULES, desk, model_files
from tests.protocol.makers import payment, request
from tests.protocol.mutants import assert_fails_without, lua, swapped


async def test_a_reload_between_two_rows_is_not_seen(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            versions, genuine = count(1), here.policies.current()

            def reloaded_every_time() -> Snapshot:
                return replace(genuine, rates=replace(genuine.rates, version=str(next(versions))))

            here.policies.current = reloaded_every_time
            verdicts = await here.decide(*(request(payment(n)) for n in range(5)))
            used = {TransactionDecided.FromString(verdict.decision).versions.rate_version for verdict in verdicts}
            assert used == {"1"}

    genuine = Decider.decide

    async def row_by_row(self, requests, **options):
        return [verdict for each in requests for verdict in await genuine(self, [each], **options)]

    await assert_fails_without("D5", check, swapped(Decider, "decide", row_by_row))


async def test_triton_is_asked_for_a_named_version() -> None:
    asked = []

    async def infer(model, version, inputs, timeout_s):
        asked.append((model, version))
        return {"PROBABILITY": np.zeros(2, dtype=np.float32), "MODEL_SHA256": np.frombuffer(files.sha256, dtype=np.uint8)}

    files = model_files()
    model = TritonModel(SimpleNamespace(infer=infer), files)

    async def check() -> None:
        asked.clear()
        await model.score(np.zeros((2, COUNT), dtype=np.float32), 1.0)
        assert asked == [("fraud", files.version)] and files.version

    await assert_fails_without("D5", check, swapped(model, "version", ""))


async def test_the_decision_names_what_decided(private_redis) -> None:
    async with desk(private_redis) as here:
        (verdict,) = await here.decide(request(payment(1)))
        versions = TransactionDecided.FromString(verdict.decision).versions
        assert (versions.model_version, versions.model_digest) == ("7", "0123456789abcdef")
        assert versions.feature_schema_version == SCHEMA_VERSION
        assert versions.rule_set_version == here.policies.current().rules.version


async def test_the_audit_record_proves_what_decided(private_redis) -> None:
    """Whole digests of the files in force, which anybody can compute again."""
    async with desk(private_redis) as here:
        (verdict,) = await here.decide(request(payment(1)))
        record = AuditRecord.FromString(verdict.audit)
        digests = [sha256((RULES / name).read_bytes()).digest() for name in ("anti-fraud.json", "channels.yaml")]
        card = sha256((ROOT / "models/repository/fraud/1/card.json").read_bytes()).digest()
        assert record.rules_sha256 == digests[0]
        assert record.thresholds_sha256 == sha256(digests[1] + card).digest()
        assert record.model_sha256 == here.served.sha256
        here.served.failure = here.in_process.failure = Unavailable("nobody")
        (verdict,) = await here.decide(request(payment(2)))
        record = AuditRecord.FromString(verdict.audit)
        assert record.model_sha256 == b"" and record.rules_sha256 == digests[0]


async def older(here, *requests) -> None:
    """Observe as a process did that knew one feature less."""
    with swapped(redis_feature_store, "SCHEMA_VERSION", SCHEMA_VERSION - 1):
        await here.shelf.store.observe([each.observation for each in requests])
    for each in requests:
        key = here.shelf.link.prefix.encode() + b"d:" + each.decision_id
        unpacked = "local e = cmsgpack.unpack(redis.call('GET', ARGV[1])) e[4] = e[4]:sub(1, -5)"
        script = unpacked + " redis.call('SET', ARGV[1], cmsgpack.pack(e), 'EX', 99)"
        await here.shelf.link.command("EVAL", script, 0, key)


async def test_a_vector_of_an_older_schema_is_decided_by_rules_alone(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            here.served.scores = [0.999]
            await older(here, request(payment(1)), request(payment(3)))
            first, old, new = await here.decide(request(payment(2)), request(payment(1)), request(payment(4)))
            record = TransactionDecided.FromString(old.decision)
            assert record.degradations == [DEGRADATION_OLD_SCHEMA]
            assert not record.HasField("score")
            for verdict in (first, new):
                other = TransactionDecided.FromString(verdict.decision)
                assert other.score == 0.999 and not other.degradations
                assert len(other.features) == 4 * COUNT

    def everything_fits(observed):
        return np.ones(sum(isinstance(row, New | StoredVector) for row in observed.rows), dtype=np.bool_)

    await assert_fails_without("D5", check, swapped(Decider, "_current_schema", staticmethod(everything_fits)))


async def test_rules_still_read_the_features_that_both_schemas_have(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            await older(here, request(payment(1)))
            observed = await here.shelf.store.observe([request(payment(1)).observation])
            assert observed.vectors.shape == (1, COUNT)
            assert observed.vectors[0][1] == 1.0, "the channel"
            assert np.isnan(observed.vectors[0][-1])

    blank = lua("observe", "return vector .. string.rep(NAN, missing)", "return string.rep(NAN, FEATURES)")
    await assert_fails_without("D5", check, blank)
