"""Every RPC of the gateway has a route and a policy, and its owner has the method that the route names."""

import importlib
import json
from importlib.resources import files
from pathlib import Path

import cedarpy
import pytest
from gateway.domain.route import HIGHEST_GRADE, Route
from gateway.main.grpc import deadlines as gateway_deadlines
from gateway.routes import ROUTES
from gateway.translate import SERVICE
from generate import policy_schema
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import MeshServer
from provisioning import services
from rag.main import rpc as rag_rpc
from risk_scoring.main import rpc as risk_rpc
from router import main as router_main

from .test_shape import OWNERS

for module in OWNERS:
    importlib.import_module(module)  # registers the owner's service
POLICIES = Path(str(files("gateway") / "policies"))
DEADLINES = {"risk-scoring": risk_rpc.DEADLINES, "router": router_main.DEADLINES, "rag": rag_rpc.DEADLINES}
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


def asked(route: Route) -> FieldDescriptor:
    """The owner's request in the wrapper of a route."""
    return SERVICE.methods_by_name[route.method].input_type.fields_by_name["request"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
def test_what_a_request_says_of_its_scenario_and_grade_is_asked_of_the_policy(route: Route) -> None:
    fields = asked(route).message_type.fields_by_name
    assert route.scenario_path == (("request", "scenario") if "scenario" in fields else ())
    assert route.grade_path == (("request", "grade") if "grade" in fields else ())
    if route.grade_path:
        assert fields["grade"].enum_type.full_name == "finmesh.common.v1.DataGrade"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
def test_bounds_are_sane(route: Route) -> None:
    assert 0 < route.maximum_s <= (60 if route.stream is None else 600)
    assert 0 < route.request_bytes <= 2 * 1024 * 1024
    if route.grade_path:
        assert route.grade == HIGHEST_GRADE, "a grade that is not stated is the highest"
    else:
        assert 1 <= route.grade <= 3
    if route.stream is not None:
        assert 0 < route.stream.first_s <= route.stream.between_s < route.maximum_s


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
async def test_a_connection_that_ages_lets_the_longest_call_end(route: Route) -> None:
    """At the gateway and at the owner, whose deadline for the method is not the shorter one."""
    of_owner = DEADLINES.get(route.upstream, Deadlines())
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
