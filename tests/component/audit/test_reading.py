"""What the read API answers, proves and refuses."""

import pytest
from finmesh.audit.v1 import audit_service_pb2 as pb
from meshkit import errors
from meshkit.rpc import metadata
from translog.checkpoint import open_checkpoint
from translog.merkle import leaf_hash, verify_consistency, verify_inclusion
from translog.note import Verifier

from tests.component.audit.conftest import Audit, record


async def test_a_record_comes_back_byte_for_byte(audit: Audit) -> None:
    await audit.log(record(0), record(1) + b"\xf8\x07\x2a")
    leaf = (await audit.stub.GetInclusionProof(pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="a-1"))).leaf
    assert (leaf.index, leaf.kind, leaf.body) == (2, pb.LEAF_KIND_RECORD, record(1) + b"\xf8\x07\x2a")
    assert leaf.leaf_hash == leaf_hash(leaf.body)
    assert leaf.received_time.seconds > 1_700_000_000


async def test_proofs_verify_with_the_published_key_alone(audit: Audit) -> None:
    await audit.log(*(record(n) for n in range(5)))
    first = (await audit.stub.GetCheckpoint(pb.GetCheckpointRequest())).checkpoint
    await audit.log(*(record(n) for n in range(5, 700)))
    newest = await audit.stub.GetCheckpoint(pb.GetCheckpointRequest())
    key = Verifier.parse(newest.verifier_key)
    old = open_checkpoint(first, origin=key.name, log=[key])
    proof = await audit.stub.GetInclusionProof(pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="a-333"))
    new = open_checkpoint(proof.checkpoint, origin=key.name, log=[key])
    assert (old.size, new.size, proof.tree_size) == (7, 703, 703)
    verify_inclusion(leaf=leaf_hash(record(333)), index=proof.leaf.index, size=new.size, proof=list(proof.hashes), root=new.root)
    early = await audit.stub.GetInclusionProof(pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="a-3", tree_size=7))
    verify_inclusion(leaf=leaf_hash(record(3)), index=4, size=7, proof=list(early.hashes), root=old.root)
    grown = await audit.stub.GetConsistencyProof(pb.GetConsistencyProofRequest(first_tree_size=7))
    assert open_checkpoint(grown.checkpoint, origin=key.name, log=[key]) == new
    verify_consistency(old_size=7, old_root=old.root, new_size=703, new_root=new.root, proof=list(grown.hashes))


async def test_records_of_a_request_and_of_a_decision_in_pages(audit: Audit) -> None:
    await audit.log(*(record(n) for n in range(12)), record(40, tenant="bank-b"))
    by_request = await audit.stub.ListRecords(pb.ListRecordsRequest(tenant="bank-a", request_id="r-3"))
    assert [leaf.index for leaf in by_request.leaves] == [7, 8]
    assert by_request.next_page_token == ""
    seen, token = [], ""
    while True:
        page = await audit.stub.ListRecords(pb.ListRecordsRequest(tenant="bank-a", decision_id="d-2", page_size=2, page_token=token))
        seen += [leaf.index for leaf in page.leaves]
        token = page.next_page_token
        if not token:
            break
    assert seen == [7, 8, 9]
    other = await audit.stub.ListRecords(pb.ListRecordsRequest(tenant="bank-a", request_id="r-20"))
    assert not other.leaves


async def test_statistics_count_a_tenant_and_the_alarms_of_the_log(audit: Audit) -> None:
    await audit.log(record(0), record(1), record(2, tenant="bank-b"))
    await audit.log(record(0, outcome="OUTCOME_DECLINE"), b"\xff\xff")
    next(audit.topic.writer.envelopes([record(3)]))  # never arrives
    await audit.log(record(4))
    counts = await audit.stub.GetStatistics(pb.GetStatisticsRequest(tenant="bank-a"))
    assert (counts.records, counts.conflicts, counts.poison, counts.gaps, counts.tree_size) == (3, 1, 1, 1, 11)


async def test_another_tenants_record_does_not_exist(audit: Audit) -> None:
    await audit.log(record(0))
    request = pb.GetInclusionProofRequest(tenant="bank-b", audit_record_id="a-0")
    error = await audit.failure(audit.stub.GetInclusionProof, request)
    assert (type(error), error.reason) == (errors.NotFound, "AUDIT_RECORD_UNKNOWN")


async def test_the_gateways_word_on_the_tenant_counts(audit: Audit) -> None:
    await audit.log(record(0))
    headers = ((metadata.TENANT, "bank-b"),)
    request = pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="a-0")
    error = await audit.failure(audit.stub.GetInclusionProof, request, metadata=headers)
    assert (type(error), error.reason) == (errors.PermissionDenied, "TENANT_MISMATCH")
    await audit.stub.GetInclusionProof(request, metadata=((metadata.TENANT, "bank-a"),))


BAD = [
    ("GetInclusionProof", pb.GetInclusionProofRequest(audit_record_id="a-0"), "TENANT_MISSING"),
    ("GetInclusionProof", pb.GetInclusionProofRequest(tenant="农商银行", audit_record_id="a-0"), "TENANT_INVALID"),
    ("GetInclusionProof", pb.GetInclusionProofRequest(tenant="bank-a ", audit_record_id="a-0"), "TENANT_INVALID"),
    ("ListRecords", pb.ListRecordsRequest(tenant="bank_a", request_id="r-1"), "TENANT_INVALID"),
    ("GetStatistics", pb.GetStatisticsRequest(tenant="x" * 41), "TENANT_INVALID"),
    ("GetInclusionProof", pb.GetInclusionProofRequest(tenant="bank-a"), "MALFORMED_ID"),
    ("GetInclusionProof", pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="a\x00"), "MALFORMED_ID"),
    ("GetInclusionProof", pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="' OR 1=1 --"), "MALFORMED_ID"),
    ("GetInclusionProof", pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="x" * 100_000), "MALFORMED_ID"),
    ("GetInclusionProof", pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="a-9"), "AUDIT_RECORD_UNKNOWN"),
    ("GetInclusionProof", pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="a-0", tree_size=3), "TREE_SIZE_UNKNOWN"),
    (
        "GetInclusionProof",
        pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="a-0", tree_size=(1 << 64) - 1),
        "TREE_SIZE_UNKNOWN",
    ),
    ("ListRecords", pb.ListRecordsRequest(tenant="bank-a"), "QUERY_INCOMPLETE"),
    ("ListRecords", pb.ListRecordsRequest(tenant="bank-a", request_id="r-1", page_size=1001), "PAGE_TOO_LARGE"),
    ("ListRecords", pb.ListRecordsRequest(tenant="bank-a", request_id="r-1", page_token="-1"), "MALFORMED_PAGE_TOKEN"),
    ("ListRecords", pb.ListRecordsRequest(tenant="bank-a", request_id="r-1", page_token="٣"), "MALFORMED_PAGE_TOKEN"),
    ("GetConsistencyProof", pb.GetConsistencyProofRequest(), "TREE_SIZE_INVALID"),
    ("GetConsistencyProof", pb.GetConsistencyProofRequest(first_tree_size=2, second_tree_size=1), "TREE_SIZE_INVALID"),
    ("GetConsistencyProof", pb.GetConsistencyProofRequest(first_tree_size=1, second_tree_size=3), "TREE_SIZE_UNKNOWN"),
    ("GetConsistencyProof", pb.GetConsistencyProofRequest(first_tree_size=(1 << 64) - 1), "TREE_SIZE_UNKNOWN"),
    ("GetStatistics", pb.GetStatisticsRequest(), "TENANT_MISSING"),
]


@pytest.mark.parametrize(("method", "request_", "reason"), BAD)
async def test_bad_questions_get_typed_errors(audit: Audit, method: str, request_, reason: str) -> None:
    await audit.log(record(0), record(1))
    error = await audit.failure(getattr(audit.stub, method), request_)
    assert error.reason == reason
    assert type(error) is (errors.NotFound if reason.endswith("UNKNOWN") else errors.InvalidArgument)


async def test_a_flipped_byte_in_a_body_is_not_handed_out_with_a_proof(audit: Audit) -> None:
    import sqlite3

    await audit.log(record(0), record(1))
    with sqlite3.connect(audit.database) as connection:
        connection.execute("UPDATE leaf SET leaf_hash = zeroblob(32) WHERE leaf_index = 2")
    connection.close()
    error = await audit.failure(audit.stub.GetInclusionProof, pb.GetInclusionProofRequest(tenant="bank-a", audit_record_id="a-1"))
    assert (type(error), error.reason) == (errors.DataCorrupted, "AUDIT_LOG_DAMAGED")
