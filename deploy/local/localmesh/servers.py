"""Command lines and settings of the five servers that are not ours. One function per server, from places and ports to a row.

Surprising: each is started in a folder of its own and is told relative paths where it would misread a path with a space, a comma or
Chinese in it (a shell line of Triton's, Kafka's Latin-1 properties). Java reads file names in the encoding of the locale, so it gets one.
"""

import shutil
from pathlib import Path

from localmesh.fetch import java, kafka, redis, zipkin
from localmesh.fetch.once import UTF_8, once
from localmesh.health import HttpHealth, KafkaHealth, MilvusHealth, RedisHealth
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.rows import Row
from localmesh.tritonserver import tritonserver

_MILVUS_SERVER = Path(__file__).with_name("milvus_server.py")

KAFKA_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=log
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.min.session.timeout.ms=1000
group.coordinator.append.linger.ms=0
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=1
num.io.threads=2
background.threads=2
controlled.shutdown.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


def kafka_row(places: Places, ports: Ports) -> Row:
    """One KRaft node, broker and controller at once, 512 MB heap.

    Compiled by C1 alone: on two cores the optimising compiler took a quarter of both for the first minute. Collected by Shenandoah,
    which stops the broker for a millisecond where the serial collector stopped it for fifty; a Java without it takes its default. Its
    control thread looks around every 10 to 50 ms, not every 1 to 10. One thread for connections and two for requests, not three and
    eight: on two cores more of them wake one another for each request. All that together was a fifth of the broker's time.
    The log cleaner's buffer is small: by default it holds 128 MB of the heap.

    After SIGKILL the controller takes the same broker back only when its old session is over, so that is short here
    (9 s by default, and a restart took 12 s).
    """
    software, data = kafka.fetch(places.stack), places.var / "kafka"

    def formatted(folder: Path) -> None:
        shutil.copytree(software / "formatted", folder, dirs_exist_ok=True)

    def prepare() -> None:
        once(data / "log", formatted)
        properties = KAFKA_PROPERTIES.format(host=LOOPBACK, port=ports.kafka, controller=ports.kafka_controller)
        (data / "server.properties").write_text(properties, encoding="ascii")

    return Row(
        name="kafka",
        command=(str(java.fetch(places.stack)), "-Xms512m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+IgnoreUnrecognizedVMOptions",
                 "-XX:+UseShenandoahGC", "-XX:+UnlockExperimentalVMOptions", "-XX:ShenandoahControlIntervalMin=10",
                 "-XX:ShenandoahControlIntervalMax=50", "-XX:+ExitOnOutOfMemoryError",
                 f"-Dlog4j2.configurationFile={(software / 'log4j2.xml').as_uri()}",
                 "-cp", f"{software}/*", "kafka.Kafka", "server.properties"),
        env=UTF_8,
        ports={"broker": ports.kafka, "controller": ports.kafka_controller},
        health=KafkaHealth(LOOPBACK, ports.kafka),
        prepare=prepare,
        cwd=data,
    )  # fmt: skip


def redis_row(places: Places, ports: Ports, name: str = "redis") -> Row:
    """Append-only file synced every second, and no eviction: what it forgets, a fraud feature would silently lose.

    A rewrite of the file takes one of few cores away for seconds: disk is cheaper.
    """
    program, data = redis.fetch(places.stack), places.var / name
    return Row(
        name=name,
        command=(str(program), "--bind", LOOPBACK, "--port", str(ports.redis), "--dir", str(data), "--appendonly", "yes",
                 "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", "", "--daemonize", "no",
                 "--auto-aof-rewrite-min-size", "512mb", "--rdbcompression", "no"),
        ports={"redis": ports.redis},
        health=RedisHealth(LOOPBACK, ports.redis),
        prepare=lambda: data.mkdir(parents=True, exist_ok=True),
    )  # fmt: skip


def triton_row(places: Places, ports: Ports) -> Row:
    """The Triton of models that decide; language models have Tritons of their own (`engines`)."""
    listens = {"http": ports.triton_http, "grpc": ports.triton_grpc, "metrics": ports.triton_metrics}
    return tritonserver(places, "triton", listens, places.models)


def milvus_row(places: Places, ports: Ports) -> Row:
    """Milvus Lite as a server, in an environment of its own (pyarrow and faiss are 200 MB). Its own default listens everywhere.

    What was written and not yet put into a file is searched sixty times slower, so little of it may gather. A product of a matrix and one
    vector waits for memory: with a second thread that spins for it a search took four times the processor time.
    """
    data = places.var / "milvus"
    return Row(
        name="milvus",
        command=(str(places.milvus_python / "bin" / "python"), str(_MILVUS_SERVER), "--data-dir", str(data / "data"),
                 "--host", LOOPBACK, "--port", str(ports.milvus)),
        env=UTF_8 | {"MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES": str(2 << 20), "PYTHONUNBUFFERED": "1",
                     "OPENBLAS_NUM_THREADS": "1"},
        ports={"grpc": ports.milvus},
        health=MilvusHealth(LOOPBACK, ports.milvus),
        prepare=lambda: data.mkdir(parents=True, exist_ok=True, mode=0o700),
        cwd=places.var,
    )  # fmt: skip


def zipkin_row(places: Places, ports: Ports) -> Row:
    """Spans in memory, 512 MB: with half of that it died under 4,000 spans a second. Collected by one thread: two stop everybody else."""
    jar: Path = zipkin.fetch(places.stack)
    return Row(
        name="zipkin",
        command=(str(java.fetch(places.stack)), "-Xmx512m", "-XX:ParallelGCThreads=1", "-XX:ConcGCThreads=1", "-XX:TieredStopAtLevel=1",
                 "-XX:+ExitOnOutOfMemoryError", "-jar", jar.name,
                 f"--armeria.ports[0].ip={LOOPBACK}", f"--armeria.ports[0].port={ports.zipkin}", "--armeria.ports[0].protocols[0]=http"),
        env=UTF_8 | {"STORAGE_TYPE": "mem", "MEM_MAX_SPANS": "100000", "SELF_TRACING_ENABLED": "false"},
        ports={"http": ports.zipkin},
        health=HttpHealth(LOOPBACK, ports.zipkin, "/health"),
        cwd=jar.parent,
    )  # fmt: skip
