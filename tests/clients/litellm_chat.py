"""What users of LiteLLM write, pointed at OPENAI_BASE_URL with OPENAI_API_KEY; prints one JSON object. Runs in an environment of its own.

The caller's certificate, in the folder CERTS, comes with LiteLLM's own `client_session`.
"""

import json
import os
import ssl
from pathlib import Path

import httpx
import litellm

MODEL = "openai/" + os.environ["MODEL"]
TEXT_MODEL = "text-completion-openai/" + os.environ["MODEL"]
MESSAGES = [{"role": "user", "content": "什么是拒付？😀"}]
WHERE = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}


def main() -> None:
    """Ask in every way."""
    certs = Path(os.environ["CERTS"])
    tls = ssl.create_default_context(cafile=str(certs / "authority.pem"))
    tls.load_cert_chain(str(certs / "client.pem"), str(certs / "client.key"))
    litellm.client_session = httpx.Client(verify=tls)
    whole = litellm.completion(model=MODEL, messages=MESSAGES, temperature=0, max_tokens=16, **WHERE)
    chunks = list(litellm.completion(model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}, **WHERE))
    form = {
        "type": "json_schema",
        "json_schema": {"name": "n", "strict": True, "schema": {"type": "object", "additionalProperties": False}},
    }
    litellm.completion(model=MODEL, messages=MESSAGES, response_format=form, seed=7, n=1, stop=["。"], **WHERE)
    text = litellm.text_completion(model=TEXT_MODEL, prompt="从前", max_tokens=8, **WHERE)
    try:
        litellm.completion(model=MODEL, messages=MESSAGES, presence_penalty=1, **WHERE)
        refused = ""
    except litellm.BadRequestError as error:
        refused = str(error)
    seen = {
        "content": whole.choices[0].message.content,
        "usage": whole.usage.total_tokens,
        "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "text": text.choices[0].text,
        "refused": refused,
    }
    print(json.dumps(seen))


main()
