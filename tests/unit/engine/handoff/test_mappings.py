"""An arena is mapped once for all connections, and let go with the last of them."""

from __future__ import annotations

from pathlib import Path

from engine.handoff.puller import Puller

from tests.unit.engine.handoff.makers import LAYOUT, NOW_S, claims, content, ends, row


def mapped() -> int:
    """How many arenas this process has mapped read-only, by the kernel's word."""
    return sum("memfd:finmesh-kv" in line and " r--s " in line for line in Path("/proc/self/maps").read_text().splitlines())


def test_connections_share_a_mapping_and_the_last_one_lets_it_go(tmp_path) -> None:
    with ends(tmp_path) as both:
        location, links = both.publisher.locations[0], both.puller.links
        before = mapped()
        opened = [links.new(location) for _ in range(3)]
        assert mapped() == before + 1
        for link in opened[:2]:
            link.close()
            link.close()
        assert mapped() == before + 1
        opened[2].close()
        assert mapped() == before
        assert len(links.mappings) == 0


def test_the_memory_of_a_dead_publisher_is_let_go(tmp_path) -> None:
    puller, before = Puller(LAYOUT, wall=lambda: NOW_S), mapped()
    for seed in range(3):  # one publisher after the other at the same place
        with ends(tmp_path) as both:
            landing = row(None)
            puller.pull(both.published(claims(200), row(seed)), landing)
            assert content(landing, 0, 200) == content(row(seed), 0, 200)
            assert mapped() == before + 1
        puller.links.prune()
        assert mapped() == before
    puller.links.close()
