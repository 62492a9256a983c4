"""What may share a cached prefix."""

from router.domain.namespace import namespace_of, tenant_digest


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
