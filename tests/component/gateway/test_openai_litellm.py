"""LiteLLM at the HTTP door, as its users point it at any server of OpenAI's API; run by `make test-clients` alone."""

from __future__ import annotations

import json
import os

from localmesh.places import ROOT

from tests import programs
from tests.component.gateway.conftest import OpenDoor
from tests.component.gateway.openai_clients import key
from tests.javascript import CLIENTS

ALIASES = {"gpt-4o-mini": "smollm2"}


async def test_what_its_users_write(open_door: OpenDoor) -> None:
    async with open_door(http={"aliases": ALIASES}) as door:
        own = {
            "OPENAI_BASE_URL": f"https://localhost:{door.service.http_port}/v1", "OPENAI_API_KEY": key(door), "MODEL": "gpt-4o-mini",
            "CERTS": str(door.certs), "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }  # fmt: skip
        python = ROOT / os.environ["FINMESH_TEST_CLIENTS"] / "bin" / "python"
        done = await programs.done(str(python), "litellm_chat.py", own=own, folder=CLIENTS, within_s=120.0)
    assert done.status == 0, done.err
    seen = json.loads(done.out.splitlines()[-1])
    assert seen["content"] == seen["streamed"] == seen["text"] == "你好，世界" and seen["usage"] == 15
    assert "presence_penalty is not supported" in seen["refused"]
    assert {request.model for request in door.router.requests} == {"smollm2"}
