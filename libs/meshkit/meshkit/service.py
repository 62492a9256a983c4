"""The life of a process: enter resources, ready, serve, SIGTERM, NOT_SERVING, drain, stop, close in reverse.

A dependency that is down never prevents the start: it makes the service ready-degraded or not ready, and health says which component it
is. A background task that dies of a bug ends the process with exit code 1, so that whoever runs it can start it again. A signal during
the start-up is kept until ``run``.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

import uvloop
from opentelemetry.metrics import CallbackOptions, Observation
from pydantic import ValidationError

from meshkit import links
from meshkit.config import Environment, KafkaSettings, KafkaToolConfig, ServiceConfig
from meshkit.crypto.derive import development
from meshkit.crypto.ring import Ring, RingKey
from meshkit.errors import FailedPrecondition
from meshkit.events.connection import connection
from meshkit.known_settings import unknown
from meshkit.rpc import tls as rpc_tls
from meshkit.rpc.server import MeshServer
from meshkit.telemetry import metrics, names, setup
from meshkit.telemetry.logs import mask_crashes
from meshkit.telemetry.redactor import redact

_logger = logging.getLogger("finmesh.service")
_Config = TypeVar("_Config", bound=Environment)
_Resource = TypeVar("_Resource")
_Key = TypeVar("_Key", bound=RingKey)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a process's main coroutine on uvloop, in every service alike, so that what is measured of one holds for all.

    A FailedPrecondition becomes one line on stderr and exit code 2: whoever runs the process can't mend it by starting it again.
    """
    gc.set_threshold(20_000, 20, 20)  # a batch makes thousands of objects that all die with it: the default looked at them 8% of the time
    sys.setswitchinterval(0.000_5)  # the thread that exports spans would else hold the event loop up for 5 ms each time it comes back
    mask_crashes()
    try:
        uvloop.run(main)
    except FailedPrecondition as error:  # a file that is needed does not hold what it must
        sys.stderr.write(f"cannot run: {redact(error.message)} [{error.reason}]\n")
        raise SystemExit(2) from None


def load_config(kind: Callable[[], _Config]) -> _Config:
    """Return the settings read from the environment. Wrong ones: one line on stderr, without values, and exit code 2.

    Wrong is also a link to another host that nothing protects (`meshkit.links`). A name at the top that no service of ours reads is warned
    of on stderr.
    """
    try:
        config = kind()
    except ValidationError as error:
        wrong = "; ".join(f"{'__'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors(include_input=False))
        sys.stderr.write(f"configuration is wrong: {redact(wrong)}\n")
        raise SystemExit(2) from None
    unprotected = links.problems(config)
    if unprotected:
        sys.stderr.write(f"configuration is wrong: {redact('; '.join(unprotected))}\n")
        raise SystemExit(2)
    for name, nearest in unknown(os.environ, type(config).model_fields).items():
        sys.stderr.write(f"{name} is no setting of any service" + (f"; is {nearest} meant?" if nearest else "") + "\n")
    return config


def load_kafka(bootstrap_servers: str) -> KafkaSettings:
    """Return how a tool reaches these brokers: the rest of FINMESH_KAFKA__* holds for it too, as ``load_config`` has it."""
    return load_config(lambda: KafkaToolConfig.model_validate({"kafka": {"bootstrap_servers": bootstrap_servers}})).kafka


class Service:
    """One process. Use as ``async with Service(config, name="risk-scoring") as service: ...; await service.run(server)``."""

    def __init__(self, config: ServiceConfig, name: str) -> None:
        self.name = name
        self.config = config
        self.started = asyncio.Event()
        self.stopping = asyncio.Event()
        self.port: int | None = None
        self.http_port: int | None = None  # of a service that speaks HTTP as well
        self.metrics_port: int | None = None
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endless: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None
        self._missing: dict[str, tuple[str, bool]] = {}  # component -> (reason, still serving)
        self._components: set[str] = set()
        self._health_changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Turn telemetry on and listen to signals."""
        loop = asyncio.get_running_loop()
        if isinstance(kafka := getattr(self.config, "kafka", None), KafkaSettings):
            connection(kafka)  # files that are broken are found out here, and not by a task
        if rpc_tls.is_configured(self.config.tls):
            self.watch("certificates", rpc_tls.watched(self.config.tls, rpc_tls.checked).reload)  # shows that newer ones are not in force
        telemetry = setup.configure(self.name)
        self._stack.callback(telemetry.close)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
            self._stack.callback(loop.remove_signal_handler, number)
        if self.config.metrics_listen:
            endpoint = metrics.Endpoint(self.config.metrics_listen, self.state)
            self.metrics_port = endpoint.port
            self._stack.callback(endpoint.close)

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(int(name not in self._missing), {"component": name}) for name in sorted(self._components)]

        metrics.meter().create_observable_gauge(names.COMPONENT_UP, [observe], description="1 when a dependency answers")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """End tasks, then close resources in reverse order."""
        self.stopping.set()
        await self._end_tasks()
        await self._stack.__aexit__(kind, error, trace)

    async def add(self, resource: AbstractAsyncContextManager[_Resource]) -> _Resource:
        """Enter a resource; it is closed at the end, later ones first."""
        return await self._stack.enter_async_context(resource)

    def task(self, work: Coroutine[Any, Any, Any], name: str | None = None, *, endless: bool = False) -> asyncio.Task[Any]:
        """Run ``work`` beside the service. It may end; if it raises, the process ends with exit code 1.

        It should watch ``stopping``; ``endless`` work does not and is cancelled as soon as calls are drained.
        """
        task = asyncio.create_task(work, name=name)
        if endless:
            self._endless.add(task)
            task.add_done_callback(self._endless.discard)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        self._failure = self._failure or task.exception()
        _logger.error("background task failed", exc_info=task.exception(), extra={"facts": {"task": task.get_name()}})
        self.stop()

    def watch(self, component: str, probe: Callable[[], Awaitable[object]], *, interval_s: float = 2.0, needed: bool = False) -> None:
        """Ask ``probe`` again and again; when it raises or hangs, the component is missing (``needed``: not ready without it)."""
        self.task(self._watch(component, probe, interval_s, needed), name=f"watch {component}")

    async def _watch(self, component: str, probe: Callable[[], Awaitable[object]], interval_s: float, needed: bool) -> None:
        note = self.not_ready if needed else self.degraded
        while not self.stopping.is_set():
            try:
                async with asyncio.timeout(max(interval_s, 1.0)):
                    await probe()
                self.recovered(component)
            except Exception as error:  # whatever a client raises, the component does not answer
                note(component, getattr(error, "reason", None) or type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), interval_s)

    def ring(self, path: Path | None, purpose: str, make: Callable[[str, bytes], _Key], reload_s: float) -> Ring[_Key]:
        """Return a ring that follows its file, where the last good keys stay; without a file the development keys.

        Raises FailedPrecondition (KEY_RING_INVALID) for a file that is not there or wrong at start.
        """
        if path is None:
            return Ring(development(purpose), make)
        ring = Ring.of_file(path, purpose, make)
        self.watch(f"key ring {purpose}", ring.reload, interval_s=reload_s)
        return ring

    def degraded(self, component: str, reason: str) -> None:
        """Note that a dependency is missing while the service goes on without it. ``reason`` holds no personal data."""
        self._change(component, (reason, True))

    def not_ready(self, component: str, reason: str) -> None:
        """Note that a dependency is missing without which nothing can be served."""
        self._change(component, (reason, False))

    def recovered(self, component: str) -> None:
        """Note that a dependency answers (again)."""
        self._change(component, None)

    def _change(self, component: str, missing: tuple[str, bool] | None) -> None:
        if missing is not None:
            missing = redact(missing[0]), missing[1]
        known = component in self._components
        self._components.add(component)
        if known and self._missing.get(component) == missing:
            return
        if missing is None:
            self._missing.pop(component, None)
        else:
            self._missing[component] = missing
        facts = {"component": component, "state": self.state()["state"], "reason": missing[0] if missing else ""}
        _logger.log(logging.WARNING if missing else logging.INFO, "component changed", extra={"facts": facts})
        self._health_changed.set()

    def state(self) -> dict[str, Any]:
        """Return ``{"service", "state": ready | ready-degraded | not-ready | stopping, "missing": {component: reason}}``."""
        if self.stopping.is_set():
            state = "stopping"
        elif not self._missing:
            state = "ready"
        else:
            state = "ready-degraded" if all(serving for _, serving in self._missing.values()) else "not-ready"
        return {"service": self.name, "state": state, "missing": {name: reason for name, (reason, _) in self._missing.copy().items()}}

    def stop(self) -> None:
        """Begin the end, as SIGTERM does."""
        self.stopping.set()
        self._health_changed.set()

    async def run(self, server: MeshServer) -> None:
        """Serve until SIGTERM, SIGINT, ``stop`` or the failure of a task. Raises SystemExit(1) after a failure."""
        self.port = server.port
        await server.start()
        await self._show_health(server)
        gc.collect()
        gc.freeze()  # what lives as long as the process is not looked at again
        self.started.set()
        _logger.info("serving", extra={"facts": {"address": server.address, **{k: str(v) for k, v in self.state().items()}}})
        while not self.stopping.is_set():
            self._health_changed.clear()
            await self._show_health(server)
            await self._health_changed.wait()
        _logger.info("stopping")
        await server.stop(self.config.shutdown_grace_s)
        await self._end_tasks()
        if self._failure is not None:
            raise SystemExit(1)

    async def _show_health(self, server: MeshServer) -> None:
        for component in sorted(self._components):
            await server.set_health(component, serving=component not in self._missing)
        await server.set_health("", serving=self.state()["state"] in ("ready", "ready-degraded"))

    async def _end_tasks(self) -> None:
        """Give tasks the grace time to see ``stopping``, then cancel them."""
        tasks = set(self._tasks)
        if not tasks:
            return
        for task in self._endless:
            task.cancel()
        _, late = await asyncio.wait(tasks, timeout=self.config.shutdown_grace_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
