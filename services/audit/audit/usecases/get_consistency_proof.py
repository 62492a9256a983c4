"""The proof that the log only grew between two sizes."""

from meshkit.errors import InvalidArgument
from translog.reader import ConsistencyProof

from audit.ports import AuditReader


async def get_consistency_proof(reader: AuditReader, *, first: int, second: int) -> ConsistencyProof:
    """Return the proof; raises InvalidArgument, NotFound TREE_SIZE_UNKNOWN, Unavailable."""
    if first < 1:
        raise InvalidArgument("the older tree has at least one leaf", reason="TREE_SIZE_INVALID", metadata={"field": "first_tree_size"})
    if second and second < first:
        raise InvalidArgument("the newer tree is not smaller", reason="TREE_SIZE_INVALID", metadata={"field": "second_tree_size"})
    return await reader.consistency(first, second)
