"""Keys are remembered with their body, for a while, and not without bound."""

from gateway.domain.bodies import SeenBodies
from gateway.domain.standby import Standby


def test_same_body_passes_other_body_does_not() -> None:
    seen = SeenBodies(life_s=10, max_bodies=5)
    assert seen.claim("k", b"1", 0)
    assert seen.claim("k", b"1", 9)
    assert not seen.claim("k", b"2", 9.9)
    assert seen.claim("k", b"2", 10)


def test_the_oldest_are_forgotten_first() -> None:
    seen = SeenBodies(life_s=10, max_bodies=2)
    for key in ("a", "b", "c"):
        assert seen.claim(key, b"1", 0)
    assert not seen.claim("c", b"2", 1)
    assert not seen.claim("b", b"2", 1)
    assert seen.claim("a", b"2", 1)


def test_a_store_is_left_alone_for_a_moment() -> None:
    standby = Standby(rest_s=1)
    assert not standby.is_on(0)
    standby.failed(5)
    assert standby.is_on(5.9)
    assert not standby.is_on(6)
