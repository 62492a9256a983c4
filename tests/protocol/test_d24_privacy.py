"""D24. No id of the bank's stands in clear in Redis, in Kafka keys, in dead letters or in spans; payloads that wait are sealed."""

from meshkit.crypto.derive import IDS, derive_ring
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.crypto.seal import SealKey
from meshkit.telemetry import spans
from meshkit.telemetry.context import TraceContext, to_header
from meshkit.testing.capture import captured_logs, captured_spans
from meshkit.testing.keys import keyed_ids

from tests.protocol.desks import desk, record
from tests.protocol.makers import KEYS, TENANT, identifier, label, payment, request, transfer
from tests.protocol.mutants import assert_fails_without, swapped

SECRETS = (b"CUST-zhangwei", b"ACCT-6217", b"MERCHANT-0001", b"TERMINAL-0001", b"DEVICE-0001", b"\xe5\xbc\xa0\xe4\xbc\x9f")
CHINESE = "张伟"


def shown(data: bytes | str | None) -> list[bytes]:
    """Which tokens stand in the data."""
    raw = data.encode() if isinstance(data, str) else data or b""
    return [secret for secret in SECRETS if secret in raw]


PAYMENTS = (payment(1), payment(2, customer_id=CHINESE), transfer(3))


def in_clear():
    """The mutant: keys are the ids themselves."""
    return swapped(KeyedIds, "entity_key", lambda self, tenant, entity_id: entity_id.encode())


async def test_redis_keys_and_values(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            fresh = keyed_ids()
            here.stream._identifier.keys = fresh
            await here.streamed(*PAYMENTS)
            parked = here.stream._identifier.observation(request(payment(9)).transaction)
            await here.shelf.store.amend([label(parked, "L1")], "labels:0", "t@1")
            contents = await here.shelf.contents()
            assert len(contents) > 8
            texts = [key for key in contents if await here.shelf.link.command("TYPE", key) == b"string"]
            values = [await here.shelf.link.command("GET", key) for key in texts]
            assert [secret for data in (*contents, *values) for secret in shown(data)] == []

    await assert_fails_without("D24", check, in_clear())


async def test_kafka_keys_decisions_and_audit_records(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            here.stream._identifier.keys = keyed_ids()
            for message in await here.streamed(*PAYMENTS):
                headers = [value for _, value in message.headers]
                assert [secret for data in (message.key, message.value, *headers) for secret in shown(data)] == []

    await assert_fails_without("D24", check, in_clear())


async def test_dead_letters(private_redis) -> None:
    poison = payment(1, tenant="BAD TENANT").SerializeToString()

    async def check() -> None:
        async with desk(private_redis) as here:
            letters = await here.streamed(poison, b"CUST-zhangwei-001 is no protobuf", payment(2, event_time_s=1))
            assert len(letters) == 3
            for letter in letters:
                headers = [value for _, value in letter.headers]
                assert [secret for data in (letter.key, letter.value, *headers) for secret in shown(data)] == []
            assert here.sealer.open(letters[0].value, "in/0/0") == poison
            assert dict(letters[0].headers)["sealed_key_id"] == here.sealer.primary.id.encode()

    await assert_fails_without("D24", check, swapped(SealKey, "seal", lambda self, payload, place: payload))


async def test_spans_and_log_lines(private_redis) -> None:
    async def check() -> None:
        sampled = (to_header(TraceContext(1, 2, True)),)
        with captured_spans() as collected, captured_logs() as lines:
            async with desk(private_redis) as here:
                here.served.scores = [0.999]
                sent = [each.SerializeToString() for each in (*PAYMENTS, payment(5, tenant="X Y"))]
                records = [record(value, offset=n, headers=sampled) for n, value in enumerate(sent)]
                await here.stream.handle(0, records)
            assert len(collected) >= 3
            texts = [repr((span.name, dict(span.attributes or {}))) for span in collected]
            assert [secret for text in (*texts, lines.text) for secret in shown(text)] == []

    genuine = spans.record

    def chatty(name, context, **options):
        options["attributes"] = {**(options.get("attributes") or {}), "customer": "CUST-zhangwei-001"}
        return genuine(name, context, **options)

    await assert_fails_without("D24", check, swapped(spans, "record", chatty))


async def test_the_same_person_has_another_key_at_another_bank() -> None:
    a, b = (identifier().observation(request(payment(1, tenant=tenant)).transaction) for tenant in (TENANT, "bank-b"))
    assert a.customer_key != b.customer_key and a.device_key != b.device_key


async def test_another_secret_gives_other_keys() -> None:
    other = KeyedIds(derive_ring(b"another secret of at least thirty-two bytes", "", IDS))
    assert other.entity_key(TENANT, "x") != KEYS.entity_key(TENANT, "x")
    assert other.fingerprint(b"x") != KEYS.fingerprint(b"x")
