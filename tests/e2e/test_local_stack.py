"""The servers of the process table, really started: each answers what the services will ask of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc.aio as triton
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.rows import Row
from localmesh.servers import kafka_row, triton_row, zipkin_row
from localmesh.supervisor import Mesh
from provisioning.broker import ProvisionError, provision
from provisioning.topics import Topic
from redis.asyncio import Redis
from tritonclient.utils import InferenceServerException

from tests.stack import PrivateRedis, Stack

pytestmark = pytest.mark.stack

DECIDED = Topic(
    name="finmesh.risk.v1.TransactionDecided", partitions=3, retention_ms=60_000, key="account_id", writers=("risk-scoring",),
    readers=("audit",), message="finmesh.risk.v1.TransactionDecided", dead_letter=True,
)  # fmt: skip

CONFIG = """
backend: "python"
max_batch_size: 0
input [{ name: "x" data_type: TYPE_FP32 dims: [-1] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [-1] }]
instance_group [{ kind: KIND_CPU count: 1 }]
"""

MODEL = """
import numpy as np
import onnxruntime  # what real models need must be importable in the stub
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        x = [pb_utils.get_input_tensor_by_name(r, "x").as_numpy() for r in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", (v * 2).astype(np.float32))]) for v in x]
"""


AWKWARD = "我的 文件, #1 %41 'q' $HOME;&!"
"""A folder's name that shells, lists, URLs and Latin-1 files each misread in their own way."""


@pytest.fixture
def doubling(tmp_path: Path) -> Places:
    """A model repository with one model that doubles its input."""
    tmp_path = tmp_path / AWKWARD
    model = tmp_path / "models" / "double"
    (model / "1").mkdir(parents=True)
    (model / "config.pbtxt").write_text('name: "double"' + CONFIG)
    (model / "1" / "model.py").write_text(MODEL)
    return replace(Places.default(), var=tmp_path, models=tmp_path / "models")


async def doubled(client: triton.InferenceServerClient) -> list[float]:
    x = triton.InferInput("x", [3], "FP32")
    x.set_data_from_numpy(np.array([1, 2, 3], np.float32))
    return (await client.infer("double", [x])).as_numpy("y").tolist()


async def test_triton_computes_and_is_closed_to_control_and_comes_back(doubling: Places) -> None:
    ports = Ports.free()
    regions = f"finmesh-triton-{ports.triton_grpc}-*"
    async with Mesh([triton_row(doubling, ports)], doubling.var) as mesh:
        async with triton.InferenceServerClient(f"{LOOPBACK}:{ports.triton_grpc}") as client:
            assert await doubled(client) == [2, 4, 6]
            for refused in (
                client.load_model("double"),
                client.register_system_shared_memory("r", "/x", 8),
                client.get_model_repository_index(),
            ):
                with pytest.raises(InferenceServerException, match="restricted"):
                    await refused
        await mesh.wait("triton", other_than_pid=mesh.kill("triton"))
        async with triton.InferenceServerClient(f"{LOOPBACK}:{ports.triton_grpc}") as client:
            assert await doubled(client) == [2, 4, 6]
        assert len(list(Path("/dev/shm").glob(regions))) == 1
    assert not list(Path("/dev/shm").glob(regions))


@pytest.mark.parametrize("row", [kafka_row, triton_row, zipkin_row])
async def test_a_server_starts_in_any_folder_under_any_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Callable[[Places, Ports], Row]
) -> None:
    for name in ("LC_ALL", "LANG"):
        monkeypatch.setenv(name, "C")
    checkout, here = tmp_path / AWKWARD, Places.default()
    checkout.mkdir()
    for name, path in ((".stack", here.stack), (".venv-triton", here.triton_python)):
        (checkout / name).symlink_to(path)
    places = replace(here, var=checkout / "var", stack=checkout / ".stack", root=checkout)
    async with Mesh([row(places, Ports.free())], places.var) as mesh:
        assert mesh.pid(row.__name__.removesuffix("_row"))


async def test_provisioned_topics_carry_messages_and_are_provisioned_again(stack: Stack, topic_prefix: str) -> None:
    topic = topic_prefix + DECIDED.name
    assert await provision(stack.kafka, [DECIDED], topic_prefix) == [topic, topic + ".dead-letter"]
    await provision(stack.kafka, [DECIDED.model_copy(update={"retention_ms": 90_000})], topic_prefix)
    with pytest.raises(ProvisionError, match="has 3 partitions, not 4"):
        await provision(stack.kafka, [DECIDED.model_copy(update={"partitions": 4})], topic_prefix)
    await until(partial(setting, stack.kafka, topic, "retention.ms"), "90000")
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka, transactional_id=topic_prefix + "t") as producer, producer.transaction():
        await producer.send_and_wait(topic, "汇款".encode(), key=b"account")
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=stack.kafka, group_id=topic_prefix + "g", auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:
        assert (await consumer.getone()).value == "汇款".encode()


async def test_a_small_machine_makes_topics_of_fewer_partitions(stack: Stack, topic_prefix: str) -> None:
    """Only when they are new: what there is keeps its keys where they are."""
    other = DECIDED.model_copy(update={"name": "other"})
    await provision(stack.kafka, [DECIDED], topic_prefix)
    for _ in range(2):
        await provision(stack.kafka, [DECIDED, other], topic_prefix, max_partitions=2)
    with pytest.raises(ProvisionError, match="other has 2 partitions, not 3"):
        await provision(stack.kafka, [DECIDED, other], topic_prefix)
    with pytest.raises(ProvisionError, match="other has 2 partitions, not 1"):
        await provision(stack.kafka, [DECIDED, other], topic_prefix, max_partitions=1)


async def test_topics_are_never_made_by_accident(stack: Stack, topic_prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic_prefix + "typo"])
        assert described["error_code"] == 3  # UNKNOWN_TOPIC_OR_PARTITION
    finally:
        await admin.close()


async def until(read: Callable[[], Awaitable[str]], expected: str) -> None:
    """Return when that is read: a broker answers for a change before it shows it."""
    async with asyncio.timeout(30):
        while await read() != expected:
            await asyncio.sleep(0)


async def setting(bootstrap: str, topic: str, name: str) -> str:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}[name]
    finally:
        await admin.close()


async def test_redis_runs_packed_scripts_and_keeps_what_it_acknowledged(private_redis: PrivateRedis) -> None:
    async with Redis.from_url(private_redis.url) as client:
        packed = await client.eval("return struct.pack('<i4', cmsgpack.unpack(cmsgpack.pack(7)))", 0)
        assert packed == b"\x07\x00\x00\x00"
        await client.set("account", "7")
    private_redis.kill()
    private_redis.start()
    async with Redis.from_url(private_redis.url) as client:
        assert await client.get("account") == b"7"
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
    private_redis.kill()
    private_redis.wipe()
    private_redis.start()
    async with Redis.from_url(private_redis.url) as client:
        assert await client.get("account") is None
