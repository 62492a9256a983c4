import socket

import pytest
from localmesh.ports import LOOPBACK, Ports, free_ports, instance


def test_a_port_is_set_by_its_variable() -> None:
    ports = Ports.from_environment({"FINMESH_PORT_KAFKA": "29092", "FINMESH_PORT_UNKNOWN": "1"})
    assert (ports.kafka, ports.redis) == (29092, 16379)


def test_two_parts_on_one_port_are_refused() -> None:
    with pytest.raises(ValueError, match="share a port"):
        Ports.from_environment({"FINMESH_PORT_KAFKA": "16379"})


def test_free_ports_differ_and_can_be_bound() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    with socket.socket() as s:
        s.bind((LOOPBACK, ports[0]))


def test_a_free_mesh_shares_no_port_with_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the system draws first: the usual ports are free as long as the usual mesh is down."""
    usual = set(Ports().by_name().values())
    monkeypatch.setattr("localmesh.ports.free_ports", lambda count: [*usual, *range(1_024, 1_024 + count)][:count])
    free = Ports.free()
    assert len(set(free.by_name().values())) == len(usual)
    assert not set(free.by_name().values()) & usual
    copies = Ports().with_copies({"gateway": 3}).by_name()
    assert len(set(copies.values())) == len(copies) > len(usual)


def test_a_second_instance_has_ports_of_its_own() -> None:
    usual = Ports()
    ports = usual.with_copies({"gateway": 3, "audit": 1})
    more = ports.by_name().keys() - usual.by_name().keys()
    assert more == {f"gateway_{number}{use}" for number in (2, 3) for use in ("", "_http", "_metrics")}
    assert ports.grpc("gateway") == usual.grpc("gateway")
    assert len({ports.grpc(instance("gateway", number)) for number in (1, 2, 3)}) == 3
    assert ports.with_copies({"gateway": 3}) == ports
