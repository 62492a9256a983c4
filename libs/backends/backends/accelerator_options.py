"""What a row of `accelerators.yaml` says of its own kind alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from meshkit.addresses import is_local, list_hosts
from pydantic import BaseModel, ConfigDict, Field, model_validator

Tensor = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{0,100}$")]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TritonOptions(_Options):
    """Our own engine in Triton."""

    pid_file: Path | None = Field(default=None, strict=False, description="file with the pid of its tritonserver")


class HttpOptions(_Options):
    """What is said to any server over HTTP. ``first_s``, ``between_s``: how long it may say nothing."""

    served_model: str = Field(default="", max_length=256, description="what the server calls the model; empty: as the row does")
    first_s: float = Field(default=60.0, gt=0, le=600, description="until the first token")
    between_s: float = Field(default=8.0, gt=0, le=600, description="between two tokens")
    connect_s: float = Field(default=2.0, gt=0, le=60, description="until it is connected")


class VllmOptions(HttpOptions):
    """vLLM with prompts and answers apart, or as one.

    ``kv_events``: where we bind and the engine connects; empty: it tells none. ``kv_replay``: its socket for what was missed.
    ``lease_s``: of our tickets, below ``engine_lease_s``, after which the engine frees what nobody fetched (`kv_lease_duration`).
    ``priorities``: whether it runs with `--scheduling-policy priority`. ``network``: where keys and values travel, in clear and to whoever
    asks: on one host (a pod), or on a network that is encrypted below them.
    """

    kv_events: str = Field(default="", max_length=256)
    kv_replay: str = Field(default="", max_length=256)
    lease_s: float = Field(default=20.0, gt=0, le=3600)
    engine_lease_s: float = Field(default=30.0, gt=0, le=3600)
    fetch_s: float = Field(
        default=10.0, gt=0, le=600, description="from a ticket to the first token; then the hand-off has failed, not the engine"
    )
    priorities: bool = False
    network: Literal["host", "encrypted"] = "host"

    @model_validator(mode="after")
    def _is_safe(self) -> VllmOptions:
        if self.lease_s > self.engine_lease_s * 2 / 3:
            raise ValueError("lease_s: two thirds of engine_lease_s at most, or what was freed is fetched")
        for name, endpoint in (("kv_events", self.kv_events), ("kv_replay", self.kv_replay)):
            scheme, _, place = endpoint.partition("://")
            is_near = bool(place) and (scheme == "ipc" or (scheme == "tcp" and all(is_local(host) for host in list_hosts(endpoint))))
            if endpoint and not is_near:
                raise ValueError(f"{name}: nothing protects it, so tcp:// of loopback or ipc://")
        if self.kv_replay and not self.kv_events:
            raise ValueError("kv_replay: is for kv_events")
        return self


class OpenAiOptions(HttpOptions):
    """A server of OpenAI's API.

    ``prompts``: "ids" (a list of token ids as `prompt`), "text", or "probe": asked once. ``lacks``: what the server is known not to have,
    in the words of ENGINE_LACKS_.
    """

    prompts: Literal["probe", "ids", "text"] = "probe"
    tokens: Literal["probe", "ids", "text"] = "probe"
    metrics: Literal["probe", "none"] = "probe"
    answers_as: str = Field(default="", max_length=256, description="the model that its answers name; empty: as it was asked")
    lacks: Annotated[frozenset[Literal["SEED", "TOP_K", "LOGPROBS", "GRAMMAR", "IGNORE_END", "CHOICES"]], Field(strict=False)] = frozenset()


class OipOptions(_Options):
    """How a model of the Open Inference Protocol takes a prompt and gives an answer, by names of tensors; an empty name: there is none.

    ``unused``: inputs of the model that may be left out. ``batch``: whether tensors have a first dimension of 1.
    ``decoupled``: one response a token, else all at once.
    ``cancel``: whether a call may be cancelled; Triton 2.51 can die of it, so that an answer nobody wants runs to its bound.
    """

    served_model: str = Field(max_length=256, min_length=1)
    version: str = Field(default="", max_length=32)
    input_ids: Tensor = ""
    input_text: Tensor = ""
    attention_mask: Tensor = ""
    max_tokens: Tensor = ""
    temperature: Tensor = ""
    top_p: Tensor = ""
    top_k: Tensor = ""
    seed: Tensor = ""
    ignore_end: Tensor = ""
    output_ids: Tensor = ""
    output_text: Tensor = ""
    output_logprobs: Tensor = ""
    finish: Tensor = ""
    unused: Annotated[frozenset[str], Field(strict=False)] = frozenset()
    batch: bool = False
    decoupled: bool = True
    cancel: bool = False
    first_s: float = Field(default=60.0, gt=0, le=600)
    between_s: float = Field(default=8.0, gt=0, le=600)

    @model_validator(mode="after")
    def _says_enough(self) -> OipOptions:
        if bool(self.input_ids) == bool(self.input_text):
            raise ValueError("input_ids or input_text: one of them")
        if bool(self.output_ids) == bool(self.output_text):
            raise ValueError("output_ids or output_text: one of them")
        if not self.max_tokens:
            raise ValueError("max_tokens: an answer has to be bounded")
        if self.output_logprobs and not self.output_ids:
            raise ValueError("output_logprobs: are of ids")
        named = [value for name, value in self if isinstance(value, str) and value and name not in ("served_model", "version")]
        if len(set(named)) < len(named):
            raise ValueError("two roles have one tensor")
        return self


class OpenVinoOptions(_Options):
    """The Triton model of `models/openvino`."""

    served_model: str = Field(default="openvino_llm", max_length=256, min_length=1)
    first_s: float = Field(default=60.0, gt=0, le=600)
    between_s: float = Field(default=8.0, gt=0, le=600)

    def tensors(self) -> OipOptions:
        """Return its mapping."""
        return OipOptions(
            served_model=self.served_model,
            input_ids="INPUT_IDS",
            max_tokens="MAX_TOKENS",
            temperature="TEMPERATURE",
            top_p="TOP_P",
            top_k="TOP_K",
            seed="SEED",
            ignore_end="IGNORE_END",
            output_ids="OUTPUT_IDS",
            finish="FINISH",
            first_s=self.first_s,
            between_s=self.between_s,
        )
