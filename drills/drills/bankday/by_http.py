"""One question at the HTTP door, as a client of OpenAI's API asks it, with the standard library alone."""

import asyncio
import http.client
import json
import ssl
from typing import Any

from meshkit.errors import Unavailable

from drills.bankday.site import Site

_WAIT_S = 60.0


async def ask(site: Site, model: str, question: str, max_output_tokens: int) -> str:
    """Return what came of it. Raises Unavailable, with the error that the door told."""
    messages = [{"role": "user", "content": question}]
    body = {"model": model, "messages": messages, "max_completion_tokens": max_output_tokens, "temperature": 0}
    try:
        status, told = await asyncio.to_thread(_post, site, body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"the HTTP door: {error}") from error
    if status != 200:
        raise Unavailable(f"the HTTP door: {status} {told['error']['message']}", reason=told["error"]["reason"])
    usage, choice = told["usage"], told["choices"][0]
    words = f"{usage['prompt_tokens']} tokens in, {usage['completion_tokens']} out, {choice['finish_reason']}"
    return f"once more by OpenAI's API at port {site.ports.process('gateway')['http']}: {words}"


def _post(site: Site, body: dict[str, Any]) -> tuple[int, Any]:
    certs = site.places.certs
    tls = ssl.create_default_context(cafile=str(certs / "authority.pem"))
    tls.load_cert_chain(str(certs / "client.pem"), str(certs / "client.key"))
    headers = {"authorization": f"Bearer {(certs / 'assistant.jwt').read_text().strip()}", "content-type": "application/json"}
    line = http.client.HTTPSConnection("localhost", site.ports.process("gateway")["http"], context=tls, timeout=_WAIT_S)
    try:
        line.request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
        answer = line.getresponse()
        return answer.status, json.load(answer)
    finally:
        line.close()
