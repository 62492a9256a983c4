"""Starting, stopping and refusing: locks, pinned checkpoints, certificates, health."""

import asyncio
import datetime as dt
import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from audit.adapters.anchors import Anchors
from audit.config import AuditKeys, AuditSettings, Config
from audit.main import signer_of, verifier_of
from finmesh.audit.v1 import audit_service_pb2 as pb
from grpc_health.v1 import health_pb2, health_pb2_grpc
from meshkit import errors
from meshkit.clock import SystemClock
from meshkit.config import TlsSettings
from meshkit.rpc.channel import MeshChannel
from meshkit.service import Service
from provisioning import certificates
from translog.anchor import read_note
from translog.log import create
from translog.sqlite import SqliteDatabase

from tests.component.audit.conftest import StartAudit, Topic, record


async def test_it_goes_on_where_it_stopped(start: StartAudit) -> None:
    topic = Topic()
    async with start(topic) as audit:
        await audit.log(record(0), record(1))
    topic.send(record(2))
    async with start(topic) as audit:
        await audit.topic.all_stored()
        counts = await audit.stub.GetStatistics(pb.GetStatisticsRequest(tenant="bank-a"))
        assert (counts.records, counts.tree_size) == (3, 7)


async def test_not_ready_while_another_writer_holds_the_log_then_takes_over(start: StartAudit, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    holder = SqliteDatabase.open_writer(tmp_path / "log" / "audit.db")
    async with start() as audit:
        state = await audit.state("not-ready")
        health = health_pb2_grpc.HealthStub(audit.channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.NOT_SERVING
        error = await audit.failure(audit.stub.GetCheckpoint, pb.GetCheckpointRequest())
        assert (type(error), error.reason) == (errors.Unavailable, "AUDIT_LOG_CLOSED")
        assert "log" in state["missing"]
        holder.close()
        await audit.state("ready")
        await audit.log(record(0))
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING


async def exit_code(database: Path, **settings: Path) -> tuple[int, str]:
    """Start the service as a process of its own, on a broker that is not there; returns exit code and the type of the error it logged."""
    environment = {f"FINMESH_AUDIT__{name.upper()}": str(value) for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "audit",
        env=os.environ
        | environment
        | {"FINMESH_AUDIT__DATABASE_URL": f"sqlite:///{database}", "FINMESH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
        | {"FINMESH_AUDIT__PRODUCERS": '{"risk-scoring/": "risk-scoring"}'},
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        _, logged = await process.communicate()
    (failure,) = [line for line in map(json.loads, logged.splitlines()) if line["message"] == "background task failed"]
    return process.returncode or 0, failure["exception"].strip().splitlines()[-1].partition(":")[0]


async def test_it_refuses_an_older_copy_of_its_log(start: StartAudit, tmp_path: Path) -> None:
    """Kept on another disk, the newest checkpoint outlives the log's own file."""
    kept, backup = tmp_path / "elsewhere" / "checkpoint", tmp_path / "backup.db"
    topic = Topic()
    async with start(topic, keep_checkpoint=kept) as audit:
        await audit.log(record(0))
    shutil.copy(audit.database, backup)
    async with start(topic, keep_checkpoint=kept) as audit:
        await audit.log(record(1))
    assert await exit_code(backup, keep_checkpoint=kept) == (1, "translog.errors.RolledBackError")


async def test_a_kept_checkpoint_is_there_before_the_first_leaf_and_may_never_be_missed(start: StartAudit, tmp_path: Path) -> None:
    """Deleting it must not be a way around it: only a log without a leaf may lack one."""
    kept = tmp_path / "另一块盘" / "checkpoint"
    (tmp_path / "log").mkdir()
    with closing(SqliteDatabase.open_writer(tmp_path / "log" / "audit.db")) as database:
        create(database, signer_of(AuditSettings()), 1)  # and died before it kept anything
    async with start(keep_checkpoint=kept) as audit:
        await audit.log(record(0))
    note = kept.read_text()
    kept.unlink()
    assert await exit_code(audit.database, keep_checkpoint=kept) == (1, "translog.errors.NotFoundError")
    assert not kept.exists()
    kept.write_text("")
    assert await exit_code(audit.database, keep_checkpoint=kept) == (1, "translog.errors.MalformedError")
    kept.write_text(note)
    async with start(keep_checkpoint=kept) as audit:
        await audit.log(record(1))
    for leftover in audit.database.parent.iterdir():
        leftover.unlink()
    assert await exit_code(audit.database, keep_checkpoint=kept) == (1, "translog.errors.RolledBackError")


def test_the_kept_checkpoint_is_written_before_the_first_leaf(tmp_path: Path) -> None:
    """A disk that takes no checkpoint must not get a log without one."""
    kept, path = tmp_path / "file" / "checkpoint", tmp_path / "audit.db"
    kept.parent.write_text("no folder")
    anchors = Anchors(None, kept, 1, SystemClock())
    with closing(SqliteDatabase.open_writer(path)) as database:
        with pytest.raises(OSError, match="file"):
            anchors.open(database, signer_of(AuditSettings()), bytes, lambda content: [], 1)
        assert database.query("SELECT COUNT(*) FROM leaf") == [(0,)]
        kept.parent.unlink()
        anchors.open(database, signer_of(AuditSettings()), bytes, lambda content: [], 1)
        assert database.query("SELECT COUNT(*) FROM leaf") == [(1,)]
    assert read_note(kept).split("\n")[1] == "0"


async def test_offsets_moved_by_sql_refuse_the_start(start: StartAudit) -> None:
    """Forward, messages would be skipped and nobody would know; back, a sequence would be believed twice."""
    async with start() as audit:
        await audit.log(record(0), record(1))
    for sql in (
        "UPDATE source SET next_offset = next_offset + 1000",
        "UPDATE source SET next_offset = next_offset - 1001",
        "UPDATE producer SET last_sequence = last_sequence + 1000",
    ):
        with sqlite3.connect(audit.database) as connection:
            assert connection.execute(sql).rowcount == 1
        connection.close()
        assert await exit_code(audit.database) == (1, "translog.errors.TamperedError")


async def test_it_refuses_a_log_without_the_pinned_state(start: StartAudit, tmp_path: Path) -> None:
    pinned = tmp_path / "pinned"
    async with start() as audit:
        await audit.log(record(0), record(1))
        pinned.write_text((await audit.stub.GetCheckpoint(pb.GetCheckpointRequest())).checkpoint)
    async with start(pinned_checkpoint=pinned) as audit:
        await audit.state("ready")
    for leftover in audit.database.parent.iterdir():
        leftover.unlink()
    async with start(Topic()) as audit:
        await audit.log(record(1), record(0))
    assert await exit_code(audit.database, pinned_checkpoint=pinned) == (1, "translog.errors.RewrittenError")
    assert await exit_code(audit.database, pinned_checkpoint=tmp_path / "none") == (1, "translog.errors.NotFoundError")


@pytest.mark.parametrize("content", [None, "", "PRIVATE+KEY+finmesh.local/audit+00000000+AAAA", "密钥", "open to everybody"])
def test_it_refuses_a_key_of_the_log_that_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "audit-log.key"
    if content is not None:
        path.write_text(content)
        path.chmod(0o644 if content == "open to everybody" else 0o600)
    if content == "":
        assert signer_of(AuditSettings(signing_key_file=path)) == signer_of(AuditSettings())  # as when none is named
        return
    with pytest.raises(errors.FailedPrecondition) as refused:
        signer_of(AuditSettings(signing_key_file=path))
    assert refused.value.reason == "KEY_RING_INVALID"
    assert "AAAA" not in str(refused.value)


def test_it_refuses_producers_whose_batches_nobody_could_check(tmp_path: Path) -> None:
    settings = AuditSettings(producers={"a/": "a", "b/": "b"})
    config = Config(audit=settings, keys=AuditKeys(audit_batch={"a": tmp_path / "a.json"}))
    with pytest.raises(errors.FailedPrecondition, match="no ring of b"):
        verifier_of(config, Service(config, "audit"))


async def test_it_refuses_a_damaged_right_edge(start: StartAudit) -> None:
    async with start() as audit:
        await audit.log(record(0), record(1))
    with sqlite3.connect(audit.database) as connection:
        connection.execute("UPDATE tile SET hashes = zeroblob(64)")
    connection.close()
    assert await exit_code(audit.database) == (1, "translog.errors.TamperedError")


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("certs")
    certificates.ensure_certificates(folder, dt.datetime.now(dt.UTC))
    return lambda identity: TlsSettings(
        certificate=folder / f"{identity}.pem", key=folder / f"{identity}.key", authority=folder / "authority.pem"
    )


async def test_only_workloads_on_the_list_may_read(start: StartAudit, certs) -> None:
    async with start(tls=certs("audit"), client=certs("gateway")) as audit:
        await audit.log(record(0))
        await audit.stub.GetInclusionProof(pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="a-0"))
        async with MeshChannel(f"127.0.0.1:{audit.port}", certs("risk-scoring"), server_name="audit") as channel:
            audit.stub = type(audit.stub)(channel)
            error = await audit.failure(audit.stub.GetCheckpoint, pb.GetCheckpointRequest())
            assert (type(error), error.reason) == (errors.PermissionDenied, "PEER_NOT_ALLOWED")
