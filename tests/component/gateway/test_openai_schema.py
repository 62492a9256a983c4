"""schemathesis at the HTTP door: requests made of the OpenAPI document, good ones and broken ones, and what may be answered to them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from localmesh.places import ROOT
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.component.gateway.conftest import OpenDoor, tls
from tests.component.gateway.openai_clients import USER, key
from tests.component.gateway.scripted_router import answer

pytestmark = pytest.mark.filterwarnings("default")
load_all_checks()
EXAMPLES = 40
SCHEMA = schemathesis.openapi.from_path(ROOT / "docs" / "openapi.yaml")
OPERATIONS = {f"{each.ok().method.upper()} {each.ok().path}": each.ok() for each in SCHEMA.get_all_operations()}
LEFT_OUT = {
    "ignored_auth": "asks again without a token and with none that is known: tests of the door do that by name",
    "missing_required_header": "the document names no header",
    "unsupported_method": "tests of the door's framing ask that by name",
}


def is_coherent(body: Any) -> bool:
    """Whether fields agree with each other, which the document does not say."""
    if not isinstance(body, dict):
        return True
    if str(body.get("model")).startswith("knowledge/") and body["messages"][-1]["role"] != "user":
        return False
    bounds = {body.get("max_tokens"), body.get("max_completion_tokens")} - {None}
    return bool(
        (body.get("stream_options") is None or body.get("stream") is True)
        and (not body.get("top_logprobs") or body.get("logprobs") is True)
        and len(bounds) < 2
        and (body.get("tool_choice") in (None, "none", "auto") or (body["tool_choice"] == "required" and body.get("tools")))
        and body.get("best_of") in (None, body.get("n") or 1)
    )


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_what_the_document_says_holds(open_door: OpenDoor, operation: str, mode: GenerationMode) -> None:
    """Good requests are answered, broken ones refused; every status, type and body is one that the document names, none is a bug's."""
    async with open_door() as door:
        door.router.script = answer
        files = tls(door.certs, "client")
        link: Any = {"verify": str(files.authority), "cert": (str(files.certificate), str(files.key)), "timeout": 20}
        base, token = f"https://localhost:{door.service.http_port}", key(door, roles=[*USER, "knowledge-reader"])
        checks = [CHECKS.get_one(name) for name in CHECKS.get_all_names() if name not in LEFT_OUT]

        @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=OPERATIONS[operation].as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            assume(mode is GenerationMode.NEGATIVE or is_coherent(case.body))
            response = case.call(base_url=base, headers={"authorization": f"Bearer {token}"}, **link)
            case.validate_response(response, checks=checks, headers={"authorization": f"Bearer {token}"})

        await asyncio.to_thread(ask)
