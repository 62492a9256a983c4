"""`python -m bench stream|sync|audit|state|compare|variant|lists|pii|claims|answers|records|routing|door|llm|encoder|rag|otc`."""

import gc
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from finmesh_cli.knowledge.dataset import DatasetError
from localmesh.fetch.once import MissingToolError
from localmesh.supervisor import StartError
from provisioning import preflight
from rich.console import Console

from bench import answers, audit, claims, compare, decisions, door, encoder, lists, otc, pii, rag, records, routing, stream, sync, variant
from bench.report import Figures, as_json, bars, show, show_table

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
Seconds = Annotated[float, typer.Option(help="how long each measurement takes")]
Customers = Annotated[int, typer.Option(min=50, help="customers of the simulated bank")]
console = Console()


@app.command(name="stream")
def stream_command(seconds: Seconds = 60, customers: Customers = 100_000, rate: float = 500) -> None:
    """Transactions a second out of a backlog against a bare transactional loop; then latency at an open-loop rate."""
    preflight.check(rate=rate, seconds=seconds)
    _run(lambda var: stream.measure(var, stream.Plan(seconds, customers, rate), _say))


@app.command(name="sync")
def sync_command(seconds: Seconds = 40, customers: Customers = 20_000, rate: float = 200) -> None:
    """Synchronous decisions through the gateway against a gRPC echo with the same TLS and message sizes."""
    preflight.check(rate=rate, seconds=seconds)
    _run(lambda var: sync.measure(var, sync.Plan(seconds, customers, rate), _say))


@app.command(name="audit")
def audit_command(records: Annotated[int, typer.Option(min=100, help="records to log")] = 200_000) -> None:
    """Audit records from the topic to a committed checkpoint against bare SQLite inserts of the same bytes; then fsck."""
    preflight.check()
    _run(lambda var: audit.measure(var, records, _say))


@app.command(name="otc")
def otc_command(
    data: Annotated[Path | None, typer.Option(help="lines of JSON: text, expect; held-out samples of the recipe without it")] = None,
    count: Annotated[int, typer.Option(min=1, help="held-out samples")] = 400,
    general: Annotated[int, typer.Option(min=0, help="so many of them through the general model as well")] = 0,
) -> None:
    """Inquiries of the OTC desk through the whole mesh; the last line is JSON."""
    preflight.check()
    cases = otc.read_cases(data) if data else otc.held_out(count)
    print(json.dumps(uvloop.run(otc.measure(None, cases, general)), ensure_ascii=False))


@app.command(name="lists")
def lists_command(entries: Annotated[int, typer.Option(min=1_000, help="entries of the list")] = 1_000_000) -> None:
    """A block list from its topic's bytes to a snapshot, in processor time."""
    _run(lambda var: lists.measure(entries, _say))


@app.command(name="state")
def state_command(
    count: Annotated[int, typer.Option(min=1_000, help="decisions to hold")] = 1_000_000,
    customers: Annotated[int, typer.Option(min=50, help="customers that they are of")] = 100_000,
) -> None:
    """Bytes of a decision, a customer and a counterparty in Redis, and a day at 500 transactions a second."""
    _run(lambda var: decisions.measure(var, decisions.Plan(count, customers), _say))


@app.command(name="compare")
def compare_command(
    base: Annotated[str, typer.Option(help="commit to compare with")],
    rounds: Annotated[int, typer.Option(min=1, help="rounds of A B B A")] = 3,
    seconds: Annotated[float, typer.Option(help="of synchronous calls in each turn")] = 5,
    burst: Annotated[int, typer.Option(min=100, help="transactions streamed in each turn")] = 8_000,
) -> None:
    """Processor time of this checkout beside that of another commit, by process, for the stream and for synchronous calls."""
    preflight.check(seconds=seconds)
    plan = compare.Plan(base, rounds=rounds, seconds=seconds, burst=burst)
    _run(lambda var: compare.measure(var, plan, _say))


@app.command(name="variant")
def variant_command(
    copies: Annotated[list[str] | None, typer.Option(help="process=count, several times")] = None,
    setting: Annotated[list[str] | None, typer.Option(help="FINMESH_NAME=value, several times")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="rounds of A B B A")] = 3,
    seconds: Annotated[float, typer.Option(help="of synchronous calls in each turn")] = 5,
) -> None:
    """Processor time with more instances of a process or other settings beside what is shipped, by process."""
    preflight.check(seconds=seconds)
    try:
        counts = {name: int(count) for name, _, count in (each.partition("=") for each in copies or ())}
    except ValueError:
        raise typer.BadParameter("copies are process=count") from None
    asked = variant.Variant(counts, {name: value for name, _, value in (each.partition("=") for each in setting or ())})
    _run(lambda var: variant.measure(var, asked, compare.Plan("", rounds=rounds, seconds=seconds), _say))


@app.command(name="pii")
def pii_command(texts: Annotated[int, typer.Option(min=100, help="texts to score")] = 20_000, seed: int = 1) -> None:
    """What libs/pii finds of a generated corpus, its speed on ordinary text and the cost of hostile text."""
    show(pii.measure(texts, seed, _say), console)


@app.command(name="claims")
def claims_command(statements: Annotated[int, typer.Option(min=100, help="statements to verify")] = 10_000, seed: int = 1) -> None:
    """What libs/claims catches of statements with something planted wrong, and rejects of correct rewrites."""
    show(claims.measure(statements, seed, _say), console)


@app.command(name="answers")
def answers_command(
    products: Annotated[int, typer.Option(min=6, help="documents in each language")] = 48,
    seed: int = 1,
    dataset: Annotated[Path | None, typer.Option(help="a set in BEIR's format whose queries have a scope")] = None,
) -> None:
    """Extractive answers: answered where the passage is there, refused where it was taken away."""
    show(answers.measure(products, seed, dataset, _say), console)


@app.command(name="records")
def records_command(count: Annotated[int, typer.Option(min=100, help="records to look at")] = 1_000_000, seed: int = 1) -> None:
    """How many audit records of our own are taken for plaintext (none may be), and what the look costs."""
    show(records.measure(count, seed, _say), console)


@app.command(name="routing")
def routing_command(
    workers: Annotated[int, typer.Option(min=2, help="workers to choose from")] = 1_000,
    prefixes: Annotated[int, typer.Option(min=16, help="cached prefixes: blocks that somebody holds")] = 100_000,
    decisions: Annotated[int, typer.Option(min=100, help="decisions to time")] = 5_000,
    seed: int = 1,
) -> None:
    """One routing decision of the pure modules, beside a naive loop that decides the same."""
    show(routing.measure(workers, prefixes, decisions, seed, _say), console)


@app.command(name="door")
def door_command(seconds: Seconds = 20, rate: float = 50, streams: Annotated[int, typer.Option(min=1, help="idle streams")] = 500) -> None:
    """First tokens at the HTTP door beside the gRPC door, and what idle streams cost."""
    preflight.check(rate=rate, seconds=seconds)
    _run(lambda var: door.measure(var, door.Plan(seconds, rate, streams), _say))


@app.command(name="encoder")
def encoder_command(seconds: Seconds = 20) -> None:
    """Passages a second and a question's time of the bare encoder, and its memory."""
    preflight.check(seconds=seconds)
    _run(lambda var: encoder.measure(var, seconds, _say))


@app.command(name="rag")
def rag_command(
    small: Annotated[int, typer.Option(min=20, help="passages on the small shelf")] = 10_000,
    large: Annotated[int, typer.Option(min=0, help="passages on the large shelf, 0: none")] = 100_000,
    ingest: Annotated[int, typer.Option(min=16, help="passages to ingest")] = 1_024,
    data: Annotated[list[Path] | None, typer.Option(help="folder in BEIR's format, evaluated as well; the first is ingested")] = None,
) -> None:
    """Questions and ingestion of retrieval beside the bare encoder, memory; then data sets. The last line is JSON."""
    preflight.check()
    sets = [folder for folder in data or [] if folder.is_dir()]
    for missing in (folder for folder in data or [] if folder not in sets):
        _say(f"{missing} is not there and left out")
    if not sets:
        _say("no data set is named (RAG_DATA=DIR...): passages to ingest are generated, no ranking is measured")
    try:
        with bars(Console(stderr=True)) as say:
            figures = uvloop.run(rag.measure(None, rag.Plan(small=small, large=large, ingest=ingest, sets=sets), say))
            evaluated = {folder.resolve().name: uvloop.run(rag.evaluated(folder, say)) for folder in sets}
    except (DatasetError, MissingToolError, StartError, LookupError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    show_table(figures, console)
    console.file.write(json.dumps({**as_json(figures), "sets": evaluated}, ensure_ascii=False) + "\n")


@app.command(name="llm")
def llm_command(
    rounds: Annotated[int, typer.Option(min=1, help="rounds of all four")] = 3,
    waves: Annotated[int, typer.Option(min=1, help="requests of each caller in a round")] = 2,
    only: Annotated[str, typer.Option(help="shipped or large")] = "",
) -> None:
    """LLM serving: the engine beside onnxruntime-genai, the mesh beside the engine, hand-off beside a copy, long prompts."""
    from bench.llm import measure as llm  # asks for packages that `make dev` alone installs

    preflight.check()
    try:
        found = uvloop.run(llm.measure(None, llm.Plan(rounds, waves, only), _say))
    except (MissingToolError, StartError, LookupError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    for figures in found.values():
        show_table(figures, console)
    console.file.write(json.dumps({name: as_json(figures) for name, figures in found.items()}) + "\n")


def _say(words: str) -> None:
    console.print(words, style="dim", highlight=False, markup=False)


def _run(work: Callable[[Path | None], Awaitable[Figures]]) -> None:
    async def main() -> Figures:
        return await work(None)

    gc.disable()  # a collection among the bank's objects would hold the load generator up, and be measured as the mesh's latency
    try:
        figures = uvloop.run(main())
    except (MissingToolError, StartError, LookupError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    show(figures, console)


if __name__ == "__main__":
    app()
