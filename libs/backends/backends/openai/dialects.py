"""What servers of OpenAI's API take beyond it, by what they call themselves at /v1/models (`owned_by`). Pure.

Surprising: a server that does not know a field mostly ignores it, and the answer looks well. So a field is sent only to who is known to
take it; what has no field is lacking. Row options say otherwise where somebody knows better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Dialect:
    """Names of fields, "" where there is none. ``schema``: where a JSON schema goes; ``gauges``: names at /metrics."""

    name: str
    top_k: str = ""
    ignore_end: str = ""
    token_ids: str = ""
    """Asks for the ids of the answer's tokens, in `token_ids` of each choice."""
    ids_for_tokens: str = ""
    """Asks for log-probabilities whose tokens are named by id."""
    schema: str = ""
    takes_ids: bool = False
    """Whether `prompt` may be a list of ids: to be tried."""
    gauges: Mapping[str, str] = field(default_factory=dict)

    @property
    def lacks(self) -> frozenset[str]:
        """What it has not, in the words of `backends.lacking`."""
        has = {
            "TOP_K": self.top_k,
            "IGNORE_END": self.ignore_end,
            "GRAMMAR": self.schema,
            "LOGPROBS": self.ids_for_tokens,
        }
        return frozenset({*(what for what, name in has.items() if not name), "GRAMMAR_REPLAY"})


PLAIN = Dialect("openai", takes_ids=True)
VLLM = Dialect(
    "vllm",
    top_k="top_k",
    ignore_end="ignore_eos",
    token_ids="return_token_ids",  # noqa: S106 - the name of a field
    ids_for_tokens="return_tokens_as_token_ids",
    schema="structured_outputs",
    takes_ids=True,
    gauges={"queued": "vllm:num_requests_waiting", "running": "vllm:num_requests_running", "kv_usage": "vllm:kv_cache_usage_perc"},
)
LLAMA = Dialect(
    "llamacpp",
    top_k="top_k",
    ignore_end="ignore_eos",
    schema="json_schema",
    takes_ids=True,
    gauges={"queued": "llamacpp:requests_deferred", "running": "llamacpp:requests_processing", "kv_usage": "llamacpp:kv_cache_usage_ratio"},
)
SGLANG = Dialect(
    "sglang",
    top_k="top_k",
    ignore_end="ignore_eos",
    schema="json_schema",
    takes_ids=True,
    gauges={"queued": "sglang:num_queue_reqs", "running": "sglang:num_running_reqs", "kv_usage": "sglang:token_usage"},
)
_KNOWN = {each.name: each for each in (VLLM, LLAMA, SGLANG)}


def of_owner(owner: object) -> Dialect:
    """Return the dialect of whoever owns a model; the plain one for who is not known."""
    return _KNOWN.get(owner, PLAIN) if isinstance(owner, str) else PLAIN
