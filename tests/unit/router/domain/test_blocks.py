"""Names of blocks are those that engines make."""

from router.domain.blocks import block_ids, namespace_of, tenant_digest

# The engine's own vector: namespace 0..31, tokens 1..130, blocks of 64. It has the partial last block too, which is no cached prefix.
NAMESPACE = bytes(range(32))
ENGINES = ["e791b22883de8340c64039b331ccdf44", "38306249793cd60d959fff65e96fa241"]


def test_ids_are_the_engines() -> None:
    assert [each.hex() for each in block_ids(range(1, 131), 64, NAMESPACE)] == ENGINES


def test_only_full_blocks_have_an_id() -> None:
    assert len(block_ids(range(63), 64, NAMESPACE)) == 0
    assert len(block_ids(range(64), 64, NAMESPACE)) == 1


def test_another_beginning_gives_other_ids_to_the_end() -> None:
    one, other = block_ids([1, *range(1, 128)], 64, NAMESPACE), block_ids(range(128), 64, NAMESPACE)
    assert not set(one) & set(other)


def test_nothing_is_shared_across_tenant_scenario_grade_or_release() -> None:
    base = ("bank-a", "assistant", 2, "r1")
    others = [
        ("bank-b", *base[1:]),
        ("bank-a", "坐席", 2, "r1"),
        ("bank-a", "assistant", 3, "r1"),
        (*base[:3], "r2"),
        ("bank-", "aassistant", 2, "r1"),
    ]
    spaces = {namespace_of(b"s" * 32, *each) for each in (base, *others)}
    assert len(spaces) == 6
    assert all(len(space) == 32 for space in spaces)
    assert namespace_of(b"t" * 32, *base) not in spaces
    assert tenant_digest(b"s" * 32, "bank-a") not in spaces
