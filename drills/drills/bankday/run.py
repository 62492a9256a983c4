"""One run from start to end: own folder, own mesh, the day, the wait, the verdict; nothing is left running.

Surprising: the mesh is always a fresh one, because the counts must start at nothing; servers set by FINMESH_EXTERNAL_* are not used.
The default ports are taken when they are free, so that addresses are the usual ones; otherwise free ones, beside a mesh that runs.
"""

import asyncio
import datetime as dt
import json
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from aiokafka.errors import KafkaError
from localmesh import launcher, status
from localmesh.health import accepts
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.processes import table
from localmesh.screen import Progress
from localmesh.supervisor import Mesh, StartError
from meshkit.errors import MeshError
from meshkit.telemetry import logs
from meshkit.telemetry.setup import configure
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from rich.console import Console
from translog.errors import TranslogError

from drills.bankday import summary, workload
from drills.bankday.conclude import conclude
from drills.bankday.conversation import converse
from drills.bankday.desk import read_inquiries
from drills.bankday.knowledge import learn
from drills.bankday.live import Meter, Screen
from drills.bankday.past import import_past
from drills.bankday.replay import replay
from drills.bankday.site import Site, bank_tokens

KEPT_FOLDERS = 3
INTERRUPTED = 130
OVER = "over"
IMPORT_ATTEMPTS, IMPORT_AGAIN_S = 5, 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose."""

    rate_per_s: float
    seconds: float
    json_file: Path | None = None
    keep: bool = False
    knowledge: bool = True


async def run(options: Options, console: Console) -> int:
    """Exit status: 0 even, 1 not even or not started, 130 interrupted."""
    task = asyncio.ensure_future(_run(options, console))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        console.print("interrupted; everything is stopped", style="yellow")
        return INTERRUPTED
    except StartError as error:
        console.print("not started:", str(error), style="red", highlight=False, markup=False)
    except (MeshError, KafkaError, TranslogError, ExceptionGroup) as error:
        console.print("broken off:", *(getattr(error, "exceptions", None) or [error]), style="red", highlight=False, markup=False)
    return 1


async def _run(options: Options, console: Console) -> int:
    began_s = time.monotonic()
    places, ports = _folder(Places.default()), await _ports()
    launcher.ensure_identity(places)
    site = Site(places, ports, bank_tokens(places), time.time_ns() // 1_000)
    progress, meter = Progress(console), Meter(options.seconds)

    def changed(mesh: Mesh) -> None:
        if meter.phase != OVER:
            progress.show(mesh)
        status.write(places.status, mesh)

    console.print(f"{options.rate_per_s:g}/s for {options.seconds:g} s in {places.var}", highlight=False, soft_wrap=True)
    prepared = asyncio.create_task(asyncio.to_thread(_prepare, round(options.rate_per_s * options.seconds), site))
    with status.held(places.var), _telemetry(site):
        async with AsyncExitStack() as stack:
            mesh = await stack.enter_async_context(Mesh(table(places, ports), places.var, changed))
            bank, files = await prepared
            await _lived_through(files, mesh, console)
            stack.callback(setattr, meter, "phase", OVER)
            meter.restarts = lambda: sum(slot.restarts for slot in mesh.slots.values())
            async with Screen(console, meter):
                done = await replay(site, bank, meter, options.rate_per_s, options.seconds)
                report = await conclude(site, mesh, done, began_s, kept=options.keep)
            report.conversation = await converse(site, console)
            if options.knowledge:
                report.knowledge = await learn(site, console)
            await read_inquiries(site, console)
            summary.show_report(report, console)
            if options.json_file is not None:
                options.json_file.write_text(json.dumps(summary.as_json(report), indent=1, ensure_ascii=False))
            if options.keep:
                console.print("[bold]the mesh stays up[/]  stop with Ctrl-C")
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
            return 0 if report.ok else 1


def _prepare(wanted: int, site: Site) -> tuple[workload.Bank, list[Path]]:
    """The bank and the files of its past, made while the mesh starts."""
    bank = workload.build_bank(wanted, site.run)
    return bank, bank.past.write(bank.translator, site.places.var)


async def _lived_through(files: list[Path], mesh: Mesh, console: Console) -> None:
    """Put the days before into the feature store. The import goes on where it stopped, so a server may die meanwhile."""
    began_s = time.monotonic()
    for _ in range(IMPORT_ATTEMPTS - 1):
        try:
            said = await import_past(files, mesh)
            break
        except StartError:
            await asyncio.sleep(IMPORT_AGAIN_S)
    else:
        said = await import_past(files, mesh)
    console.print(f"{said}  {time.monotonic() - began_s:.1f} s", highlight=False)
    for file in files:
        file.unlink()


def _folder(places: Places) -> Places:
    """A folder of its own below `runs`; of the older ones the newest few stay."""
    runs = places.var / "runs"
    older = sorted(path for path in runs.glob("*") if status.launcher(path) is None)
    for path in older[: max(len(older) - KEPT_FOLDERS + 1, 0)]:
        shutil.rmtree(path, ignore_errors=True)
    own = runs / f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S-%f}"
    own.mkdir(parents=True)
    return replace(places, var=own)


async def _ports() -> Ports:
    """The usual ones, or free ones when any of those is taken."""
    usual = Ports.from_environment()
    taken = await asyncio.gather(*(accepts(LOOPBACK, port) for port in usual.by_name().values()))
    return Ports.free() if any(taken) else usual


@contextmanager
def _telemetry(site: Site) -> Iterator[None]:
    """Our own spans as service simbank; log lines go to a file, because the terminal shows progress."""
    file = site.places.logs / "bankday.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        telemetry = configure("simbank", exporter=ZipkinExporter(endpoint=f"{site.zipkin}/api/v2/spans"))
        logs.configure("simbank", stream=stream)
        try:
            yield
        finally:
            telemetry.close()
