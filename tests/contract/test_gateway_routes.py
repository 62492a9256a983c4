"""Every RPC of the gateway has a route and a policy, and its owner has the method that the route names."""

import importlib
import json
from importlib.resources import files
from pathlib import Path

import cedarpy
import pytest
from gateway.domain.route import Route
from gateway.main.grpc import deadlines as gateway_deadlines
from gateway.routes import ROUTES
from gateway.translate import SERVICE
from generate import policy_schema
from google.protobuf import descriptor_pool
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import MeshServer
from provisioning import services
from risk_scoring.main import rpc as risk_rpc

from .test_shape import OWNERS

for module in OWNERS:
    importlib.import_module(module)  # registers the owner's service
POLICIES = Path(str(files("gateway") / "policies"))
METHODS = sorted(SERVICE.methods_by_name)


def permitted_actions() -> set[str]:
    """Return the actions that some permit names; a permit for every action does not count."""
    text = "\n".join(file.read_text() for file in sorted(POLICIES.glob("*.cedar")))
    policies = cedarpy.policies_to_json_str(text)

    named: set[str] = set()
    for policy in json.loads(policies)["staticPolicies"].values():
        action = policy["action"]
        if policy["effect"] == "permit":
            entities = [action["entity"]] if "entity" in action else action.get("entities", [])
            named |= {entity["id"] for entity in entities}
    return named


def test_every_rpc_has_exactly_one_route() -> None:
    assert sorted(route.method for route in ROUTES) == METHODS


def test_every_rpc_is_named_by_a_policy_and_no_policy_names_another() -> None:
    assert permitted_actions() == set(METHODS)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
def test_the_owner_has_the_method_and_its_messages_are_the_wrapped_ones(route: Route) -> None:
    owner = descriptor_pool.Default().FindServiceByName(route.upstream_service).methods_by_name[route.method]
    wrapper = SERVICE.methods_by_name[route.method]
    assert wrapper.input_type.fields_by_name["request"].message_type is owner.input_type
    assert wrapper.output_type.fields_by_name["response"].message_type is owner.output_type
    assert wrapper.output_type.fields_by_name["response"].number == 1  # translate.pack writes this tag


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
def test_a_request_with_a_tenant_has_it_checked(route: Route) -> None:
    message = SERVICE.methods_by_name[route.method].input_type
    if not route.tenant_path:
        assert "tenant" not in message.fields_by_name["request"].message_type.fields_by_name
        return
    for name in route.tenant_path[:-1]:
        message = message.fields_by_name[name].message_type
    assert message.fields_by_name[route.tenant_path[-1]].type == 9  # a string


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
def test_bounds_are_sane(route: Route) -> None:
    assert 0 < route.maximum_s <= 60
    assert 0 < route.request_bytes <= 2 * 1024 * 1024
    assert 1 <= route.grade <= 3


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
async def test_a_connection_that_ages_lets_the_longest_call_end(route: Route) -> None:
    """At the gateway and at the owner, whose deadline for the method is not the shorter one."""
    of_owner = risk_rpc.DEADLINES if route.upstream == "risk-scoring" else Deadlines()
    assert of_owner.effective_s(route.upstream_path, None) >= route.maximum_s
    for deadlines in (of_owner, gateway_deadlines(ROUTES)):
        options = dict(MeshServer("127.0.0.1:0", deadlines=deadlines).options)
        assert options["grpc.max_connection_age_grace_ms"] > route.maximum_s * 1000


def test_routes_lead_to_whom_the_gateway_may_call() -> None:
    assert {route.upstream for route in ROUTES} == set(services.load()["gateway"].calls)


def test_the_schema_is_generated_from_the_routes() -> None:
    assert (POLICIES / "schema.cedarschema").read_text() == policy_schema.page()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
def test_a_route_streams_where_its_method_does(route: Route) -> None:
    method = SERVICE.methods_by_name[route.method]
    assert method.server_streaming is (route.stream is not None)
    assert not method.client_streaming
