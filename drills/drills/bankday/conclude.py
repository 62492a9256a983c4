"""After the day: wait for the audit log, read everything back from outside, and say what came of it."""

import asyncio
import time
from collections.abc import Mapping, Set
from functools import partial

from finmesh.audit.v1 import audit_record_pb2
from finmesh.audit.v1 import audit_service_pb2 as audit
from finmesh.risk.v1 import decision_pb2
from finmesh_cli import proofs
from finmesh_cli.failures import TamperError
from finmesh_client import GatewayClient
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.supervisor import Mesh
from meshkit.errors import MeshError, NotFound
from simbank.driver.producer import LABELLED, REPORTED, REQUESTED
from translog.errors import TranslogError
from translog.note import Verifier

from drills.bankday import byhand
from drills.bankday.replay import Done
from drills.bankday.site import Site
from drills.bankday.summary import Report
from drills.checks import evidence, traces
from drills.checks.answered import ASK_AGAIN_S, answered
from drills.checks.audited import Audited
from drills.checks.balance import Balance, Told, balance

TRACE_WAIT_S = 5.0


async def conclude(site: Site, mesh: Mesh, done: Done, began_s: float, *, kept: bool) -> Report:
    """The report of a run whose input has ended. Raises MeshError when the mesh does not answer until the end of the wait."""
    async with site.client() as gateway:
        done.meter.phase = "waiting until everything is audited"
        decided = await answered(lambda: evidence.decisions(site.kafka), done.until_s)
        counts = await _audited(gateway, site, done, decided.first.keys())
        letters = await _letters(site, done)
        done.meter.phase = "reading everything back"
        log = await asyncio.to_thread(evidence.audit_log, site.audit_file)
        told = Told(
            streamed=done.streamed,
            replies={trace: (reply.decision_id, reply.digest) for trace, reply in done.meter.calls.replies.items()},
            unanswered=done.meter.calls.unanswered,
            decisions=decided.first,
            contradictory=decided.contradictory,
            audited=log.audited,
            dead_letters=letters,
            expected_dead_letters=done.expected_dead_letters,
            counted_by_audit=sum(counted.records - log.others[tenant] for tenant, counted in counts.items()),
            other_leaves=_others(counts),
        )
        more = [f"audit log: {finding}" for finding in log.damage]
        more += [f"{count} calls were refused: {reason}" for reason, count in done.meter.calls.refused.items() if count]
        if done.meter.sent.failed:
            more.append(f"{done.meter.sent.failed} messages were not acknowledged by the broker")
        verdict = balance(told)
        report = Report(
            folder=site.places.var,
            run=site.run,
            rate_per_s=done.work.plan.rate_per_s,
            seconds=done.meter.seconds,
            first_decision_s=done.meter.seen.first_seen_us / 1e6 - (time.time() - (time.monotonic() - began_s)),
            balance=Balance(verdict.ids_in, verdict.decided, verdict.audited, verdict.never_taken, (*verdict.findings, *more)),
            meter=done.meter,
            both_ways=done.work.both,
            labels=done.labels,
            lifecycle=done.lifecycle,
            dead_letters=dict(letters),
            decision_records=decided.records,
            degraded=sum(decision.degraded for decision in decided.first.values()),
            restarts={name: slot.restarts for name, slot in mesh.slots.items() if slot.restarts},
            explained=[decided.telling[outcome] for outcome in sorted(decided.telling, reverse=True)],
        )
        if report.explained:
            await _prove(site, gateway, report.explained[0], report)
        await _trace(site, done, report)
    report.by_hand = _by_hand(site.places, site.ports) if kept else ["make up", *_by_hand(Places.default(), Ports.from_environment())]
    report.kept = kept
    return report


async def _audited(gateway: GatewayClient, site: Site, done: Done, wanted: Set[str]) -> dict[str, audit.GetStatisticsResponse]:
    """Counts by tenant once the log holds the `wanted` decisions, or what it holds when time is up."""
    audited = Audited(site.audit_file)
    while True:
        await asyncio.to_thread(audited.look)
        done.meter.audited = len(audited.ids)
        if wanted <= audited.ids or time.time() >= done.until_s:
            return {tenant: await answered(partial(gateway.get_statistics, tenant), done.until_s) for tenant in site.tokens}
        await asyncio.sleep(ASK_AGAIN_S)


def _others(counts: Mapping[str, audit.GetStatisticsResponse]) -> dict[str, int]:
    """Leaves of the whole log that are no records; every tenant is told the same."""
    counted = next(iter(counts.values()))
    return {"conflict": counted.conflicts, "poison": counted.poison, "gap": counted.gaps}


async def _letters(site: Site, done: Done) -> dict[str, int]:
    """Dead letters by reason once there are as many as expected, or when time is up."""
    while True:
        found = await answered(lambda: evidence.dead_letters(site.kafka, [REQUESTED, LABELLED, REPORTED]), done.until_s)
        if found.total() >= sum(done.expected_dead_letters.values()) or time.time() >= done.until_s:
            return found
        await asyncio.sleep(ASK_AGAIN_S)


async def _prove(site: Site, gateway: GatewayClient, decision: decision_pb2.TransactionDecided, report: Report) -> None:
    """Fetch the inclusion proof of one decision's audit record, verify it here, and leave it in the folder for `finmesh verify`."""
    tenant = decision.tenant
    try:
        leaves = await gateway.list_records(tenant, decision.decision_id)
        if not leaves:
            raise NotFound("no audit record of this decision", reason="AUDIT_RECORD_UNKNOWN")
        leaf = leaves[0]
        record = audit_record_pb2.AuditRecord.FromString(leaf.body)
        stated = (await gateway.get_checkpoint(tenant)).verifier_key
        proof = await gateway.get_inclusion_proof(tenant, record.audit_record_id)
        proofs.check_agreement(decision, leaf)
        checkpoint = proofs.check_inclusion(leaf, proof, Verifier.parse(stated))
    except (MeshError, TranslogError, TamperError) as error:
        report.proof = f"no proof of {decision.decision_id}: {error}"
        return
    file = site.places.var / "inclusion.json"
    file.write_text(proofs.bundle_of(proof))
    (site.places.var / "log.key").write_text(stated + "\n")
    report.proof_file = str(file)
    report.proof = (
        f"decision {decision.decision_id} is leaf {leaf.index} of {checkpoint.size} in {checkpoint.origin}: "
        f"{len(proof.hashes)} hashes lead to the signed root, verified here\n"
        f"again: {byhand.verify(file, site.places.var / 'log.key')}"
    )


async def _trace(site: Site, done: Done, report: Report) -> None:
    """The fullest trace of a transaction that went both ways, else of any call; spans arrive a moment late."""
    zipkin = traces.Zipkin(site.zipkin)
    called = list(done.meter.calls.replies)
    chosen = ([trace for trace in called if trace in done.streamed] or called)[-20:]
    until_s = time.monotonic() + TRACE_WAIT_S
    best: list[traces.Span] = []
    while not any(traces.Edge("finmesh.audit.v1.AuditBatch", "audit") == edge for edge in traces.edges(best)):
        found = await asyncio.gather(*(zipkin.trace(trace.hex()) for trace in chosen))
        best = max(found, key=len, default=[])
        if time.monotonic() >= until_s:
            break
        await asyncio.sleep(ASK_AGAIN_S)
    if best:
        report.trace_url = zipkin.page(str(best[0]["traceId"]))
        report.trace = traces.tree(best)


def _by_hand(places: Places, ports: Ports) -> list[str]:
    """Lines for this mesh where it stays up, else for the one that `make up` keeps running."""
    return [byhand.grpcurl(places.certs, places.certs / "token.jwt", "bank-a", ports), byhand.kcat(ports)]
