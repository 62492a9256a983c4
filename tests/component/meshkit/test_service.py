"""The life of a process: states, signals, failures, exit codes."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from meshkit.config import ServiceConfig, TlsSettings
from meshkit.errors import Unavailable
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.server import MeshServer
from meshkit.service import Service
from meshkit.testing.serving import running

CONFIG = ServiceConfig(shutdown_grace_s=0.5)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def serve(service: Service) -> None:
    await service.run(MeshServer("127.0.0.1:0"))


async def until(service: Service, component: str, state: int) -> None:
    """Return when health shows the state."""
    async with MeshChannel(f"127.0.0.1:{service.port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        async for answer in stub.Watch(health_pb2.HealthCheckRequest(service=component)):
            if answer.status == state:
                return


async def test_ready_degraded_not_ready_and_back() -> None:
    async with running(Service(CONFIG, "t"), serve) as service:
        await until(service, "", SERVING)
        service.degraded("redis", "refused")
        await until(service, "redis", NOT_SERVING)
        await until(service, "", SERVING)
        assert service.state() == {"service": "t", "state": "ready-degraded", "missing": {"redis": "refused"}}
        service.not_ready("kafka", "away")
        await until(service, "", NOT_SERVING)
        assert service.state()["state"] == "not-ready"
        service.recovered("kafka")
        service.recovered("redis")
        await until(service, "redis", SERVING)
        await until(service, "", SERVING)
        assert service.state()["state"] == "ready"


async def test_a_watched_component_is_missing_until_its_probe_works() -> None:
    up = asyncio.Event()

    async def probe() -> None:
        if not up.is_set():
            raise Unavailable("x", reason="REDIS_DOWN")

    service = Service(CONFIG, "t")
    async with running(service, serve):
        service.watch("redis", probe, interval_s=0.01)
        await until(service, "redis", NOT_SERVING)
        assert service.state()["missing"] == {"redis": "REDIS_DOWN"}
        up.set()
        await until(service, "redis", SERVING)


async def test_certificates_that_are_not_taken_are_told(certs: Path) -> None:
    files = TlsSettings(certificate=certs / "audit.pem", key=certs / "audit.key", authority=certs / "authority.pem")
    good = (certs / "audit.key").read_bytes()
    async with running(Service(ServiceConfig(tls=files, shutdown_grace_s=0.5), "t"), serve) as service:
        await until(service, "certificates", SERVING)
        (certs / "audit.key").write_bytes(good[: len(good) // 2])
        await until(service, "certificates", NOT_SERVING)
        assert service.state()["missing"] == {"certificates": "CERTIFICATES_INVALID"}
        (certs / "audit.key").write_bytes(good)
        await until(service, "certificates", SERVING)


async def test_resources_close_in_reverse_after_tasks_ended() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def resource(name: str) -> AsyncIterator[str]:
        events.append(f"open {name}")
        yield name
        events.append(f"close {name}")

    async def work(service: Service) -> None:
        await service.stopping.wait()
        events.append("task ended")

    async def start(service: Service) -> None:
        assert await service.add(resource("a")) == "a"
        await service.add(resource("b"))
        service.task(work(service))
        await serve(service)

    async with running(Service(CONFIG, "t"), start):
        pass
    assert events == ["open a", "open b", "task ended", "close b", "close a"]


async def test_a_task_that_ignores_the_end_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with running(Service(ServiceConfig(shutdown_grace_s=0.01), "t"), serve) as service:
        service.task(stubborn())
    assert cancelled.is_set()


async def test_endless_work_ends_with_the_service_and_without_a_grace() -> None:
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(60):
        async with Service(ServiceConfig(shutdown_grace_s=3600), "test") as service:
            service.task(endless(), endless=True)
            await asyncio.sleep(0)
            service.stop()
    assert ended.is_set()


async def test_a_task_that_dies_of_a_bug_ends_the_process() -> None:
    async def bug() -> None:
        raise RuntimeError("x")

    async with Service(CONFIG, "t") as service:
        service.task(bug())
        with pytest.raises(SystemExit) as caught:
            await serve(service)
    assert caught.value.code == 1


async def test_a_task_that_ends_well_does_not() -> None:
    async def once() -> None:
        return None

    async with running(Service(CONFIG, "t"), serve) as service:
        await service.task(once())
        await until(service, "", SERVING)


async def test_metrics_and_state_over_http() -> None:
    config = ServiceConfig(shutdown_grace_s=0.5, metrics_listen="127.0.0.1:0")
    async with running(Service(config, "t"), serve) as service:
        service.degraded("redis", "refused")
        url = f"http://127.0.0.1:{service.metrics_port}"
        state = await asyncio.to_thread(lambda: urllib.request.urlopen(f"{url}/state").read().decode())
        metrics = await asyncio.to_thread(lambda: urllib.request.urlopen(f"{url}/metrics").read().decode())
    assert '"ready-degraded"' in state
    assert 'component="redis"' in next(line for line in metrics.splitlines() if line.startswith("finmesh_component_up{"))


PROGRAM = textwrap.dedent(
    """
    import asyncio
    from meshkit.config import ServiceConfig
    from meshkit.rpc.server import MeshServer
    from meshkit.service import Service, load_config

    async def main():
        config = load_config(ServiceConfig)
        async with Service(config, "t") as service:
            {extra}
            await service.run(MeshServer(config.listen, config.tls))
        print("closed", flush=True)

    async def dies(service):
        await service.started.wait()
        raise RuntimeError("card 4111111111111111")

    asyncio.run(main())
    """
)


def start(extra: str = "pass", **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(extra=extra)],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_with_code_0(number: signal.Signals) -> None:
    with start() as process:
        assert process.stderr is not None
        for line in process.stderr:
            if '"serving"' in line:
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "closed\n")
    assert '"stopping"' in err


def test_a_failing_task_ends_it_with_code_1_and_a_redacted_line() -> None:
    with start("service.task(dies(service))") as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert "background task failed" in err
    assert "4111111111111111" not in err


def test_wrong_settings_end_it_with_code_2_and_one_line_without_values() -> None:
    with start(FINMESH_SHUTDOWN_GRACE_S="-secret-") as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, len(err.splitlines())) == (2, "", 1)
    assert "shutdown_grace_s" in err
    assert "-secret-" not in err


CRASHES = {
    "in the main coroutine": "raise ValueError('卡6222021234567890128 手机13812345678')",
    "in a thread": "t = threading.Thread(target=int, args=('card 6222021234567890128',)); t.start(); t.join()",
    "in one behind another": "try: int('6222021234567890128a')\n    except ValueError as error: raise KeyError('b') from error",
}


@pytest.mark.parametrize("crash", CRASHES)
def test_what_nobody_caught_is_printed_without_identifiers(crash: str) -> None:
    program = f"import threading\nfrom meshkit.service import run\nasync def main():\n    {CRASHES[crash]}\nrun(main())\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "Traceback" in done.stderr and "[card]" in done.stderr
    assert "6222021234567890128" not in done.stderr and "13812345678" not in done.stderr
