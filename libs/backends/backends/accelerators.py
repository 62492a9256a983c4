"""`accelerators.yaml`: the engines of a pool, a row each, whoever made them; strict, every error by row and field.

Surprising: a row of kind `triton` says less than others. Our own engine tells of itself what it is; of a foreign one this file is the only
word, so that digest, grade, price and zone stand here. Clear text is for loopback, which is a pod too; secrets are files.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from finmesh.inference.v1 import worker_pb2
from meshkit.addresses import grpc_hosts, is_local
from meshkit.errors import FailedPrecondition, InvalidDocument
from meshkit.reload import read_file
from meshkit.strict_yaml import parse_yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from backends.accelerator_options import OipOptions, OpenAiOptions, OpenVinoOptions, TritonOptions, VllmOptions

ACCELERATORS_INVALID = "ACCELERATORS_INVALID"
VERSION = "1"
MOST = 256
_MAX_TOKEN_BYTES = 8192
_NAME = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"
_WORDS = r"^[^\x00-\x1f\x7f]{1,100}$"
Role = Literal["prefill", "decode", "generate"]
ROLES: dict[str, worker_pb2.WorkerRole] = {
    "prefill": worker_pb2.WORKER_ROLE_PREFILL,
    "decode": worker_pb2.WORKER_ROLE_DECODE,
    "generate": worker_pb2.WORKER_ROLE_GENERATE,
}
_GRADES = {f"L{number}": number for number in range(1, 6)}


class _Row(BaseModel):
    """What every row has. ``over_http``: its URL is one of http; else it is gRPC's host:port."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    over_http: ClassVar[bool] = False
    possible: ClassVar[tuple[frozenset[str], ...]] = (frozenset({"generate"}),)

    name: str = Field(pattern=_NAME)
    url: str = Field(min_length=1, max_length=2048)
    roles: Annotated[tuple[Role, ...], Field(strict=False, min_length=1, max_length=3)]

    def worker_id(self, role: str) -> str:
        """Return its name in the mesh; an engine with two roles is two workers."""
        return self.name if len(self.roles) == 1 else f"{self.name}.{role}"

    @model_validator(mode="after")
    def _roles_are_possible(self) -> _Row:
        if len(set(self.roles)) < len(self.roles):
            raise ValueError("roles: one occurs twice")
        if frozenset(self.roles) not in self.possible:
            sets = " or ".join(sorted(" and ".join(sorted(each)) for each in self.possible))
            raise ValueError(f"roles: an engine of this kind can be {sets}")
        return self


class TritonRow(_Row):
    """Our own engine; an entry of FINMESH_ENGINES."""

    possible = (frozenset({"prefill"}), frozenset({"decode"}))

    kind: Literal["triton"]
    options: TritonOptions = TritonOptions()

    @field_validator("url")
    @classmethod
    def _is_near(cls, url: str) -> str:
        if not all(is_local(host) for host in grpc_hosts(url)):
            raise ValueError("our own engine is on the host, or in the pod, of the process that fronts it")
        return url


class ForeignRow(_Row):
    """An engine that is not ours. ``rows``: how many answers it writes at a time."""

    kind: str
    vendor: str = Field(pattern=_WORDS)
    device: str = Field(pattern=_WORDS)
    model: str = Field(pattern=_WORDS)
    model_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    rows: int = Field(ge=1, le=4096)
    max_len_tokens: int = Field(ge=2, le=1 << 24)
    memory_bytes: int = Field(default=0, ge=0, le=1 << 50)
    zone: str = Field(pattern=_WORDS)
    highest_grade: Literal["L1", "L2", "L3", "L4", "L5"]
    price_per_hour_minor: int = Field(default=0, ge=0, lt=1 << 32)
    rated_power_w: float = Field(default=0.0, ge=0, le=1e6)
    token_file: Path | None = Field(default=None, strict=False)
    authority_file: Path | None = Field(default=None, strict=False)
    certificate_file: Path | None = Field(default=None, strict=False)
    key_file: Path | None = Field(default=None, strict=False)

    @property
    def digest(self) -> bytes:
        """The model's, as bytes."""
        return bytes.fromhex(self.model_digest)

    @property
    def grade(self) -> int:
        """Highest data grade that may go there, 1 to 5."""
        return _GRADES[self.highest_grade]

    @property
    def is_protected(self) -> bool:
        """Whether TLS is spoken with it."""
        return self.authority_file is not None

    def token(self) -> str:
        """Return the bearer token as its file has it now, "" without one. Raises FailedPrecondition (TOKEN_UNREADABLE)."""
        if self.token_file is None:
            return ""
        try:
            text = read_file(self.token_file, _MAX_TOKEN_BYTES).decode("ascii").strip()
        except (OSError, FailedPrecondition, UnicodeDecodeError):
            text = ""
        if not re.fullmatch(r"[\x21-\x7e]+", text):
            raise FailedPrecondition(f"row {self.name}: token_file holds no token", reason="TOKEN_UNREADABLE")
        return text

    @model_validator(mode="after")
    def _is_protected_enough(self) -> ForeignRow:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file: both or none")
        if self.certificate_file is not None and self.authority_file is None:
            raise ValueError("certificate_file: is for TLS, which needs authority_file")
        hosts, is_tls = self._hosts()
        if is_tls != self.is_protected:
            raise ValueError("authority_file: is for https, which needs it" if self.over_http else "authority_file: is for TLS")
        if not is_tls and not all(is_local(host) for host in hosts):
            raise ValueError("url: clear text is for loopback, which a pod shares; other hosts need TLS")
        return self

    def _hosts(self) -> tuple[list[str], bool]:
        """The hosts that its URL names, and whether it says TLS."""
        if not self.over_http:
            return grpc_hosts(self.url), self.is_protected
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("url: is no URL") from None
        is_plain = not (parts.username or parts.password or parts.query or parts.fragment) and port != 0
        if parts.scheme not in ("http", "https") or not host or not is_plain or not self.url.isascii():
            raise ValueError("url: must be http:// or https:// with a host, without user, query or fragment")
        return [host], parts.scheme == "https"


class VllmRow(ForeignRow):
    """vLLM: prompts and answers apart, or one engine for both."""

    over_http = True
    possible = tuple(frozenset(each) for each in ({"prefill"}, {"decode"}, {"prefill", "decode"}, {"generate"}))

    kind: Literal["vllm"]
    options: VllmOptions = VllmOptions()

    @model_validator(mode="after")
    def _hands_over_unseen(self) -> VllmRow:
        hosts, _ = self._hosts()
        if len(self.roles) > 1 and self.options.kv_events:
            raise ValueError("options.kv_events: one process can bind it, so a row for each role")
        if "generate" not in self.roles and self.options.network == "host" and not all(is_local(host) for host in hosts):
            raise ValueError("options.network: keys and values travel in clear, so say that the network to other hosts is encrypted")
        return self


class OpenAiRow(ForeignRow):
    """Any server that speaks OpenAI's API."""

    over_http = True

    kind: Literal["openai"]
    options: OpenAiOptions = OpenAiOptions()


class OipRow(ForeignRow):
    """Any server of the Open Inference Protocol (KServe v2) over gRPC."""

    kind: Literal["oip"]
    options: OipOptions


class OpenVinoRow(ForeignRow):
    """OpenVINO GenAI in the Triton model of `models/openvino`: its tensors are known."""

    kind: Literal["openvino"]
    options: OpenVinoOptions = OpenVinoOptions()


Row = TritonRow | VllmRow | OpenAiRow | OipRow | OpenVinoRow
_ROW: TypeAdapter[Row] = TypeAdapter(Annotated[Row, Field(discriminator="kind")])


class Accelerators:
    """The rows in their order. ``sha256``: of the file."""

    def __init__(self, rows: tuple[Row, ...], sha256: bytes = b"") -> None:
        self.rows, self.sha256 = rows, sha256

    def of(self, *roles: str) -> list[tuple[Row, str]]:
        """Return the rows that have one of these roles, with it."""
        return [(row, role) for row in self.rows for role in roles if role in row.roles]


def read(path: Path) -> Accelerators:
    """Return the rows of a file. Raises FailedPrecondition (ACCELERATORS_INVALID) that names file, row and field."""
    try:
        content = read_file(path)
        return parse(content)
    except (OSError, FailedPrecondition) as error:
        why = (error.strerror or "cannot be read") if isinstance(error, OSError) else error.message
        raise InvalidDocument(f"{path}: {why}", reason=ACCELERATORS_INVALID) from None


def parse(content: bytes) -> Accelerators:
    """Return the rows of a document. Raises InvalidDocument (ACCELERATORS_INVALID): everything that is wrong, by row and field."""
    document = parse_yaml(content)
    if not isinstance(document, dict) or set(document) != {"version", "accelerators"}:
        raise _wrong(["needs version and accelerators, and nothing else"])
    if document["version"] != VERSION:
        raise _wrong([f'version: must be "{VERSION}"'])
    listed = document["accelerators"]
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST:
        raise _wrong([f"accelerators: must be a list of 1 to {MOST} rows"])
    rows, problems = list[Row](), list[str]()
    for number, fields in enumerate(listed):
        try:
            rows.append(_ROW.validate_python(fields))
        except ValidationError as error:
            problems += _problems(_called(number, fields), error)
    problems += _twice(rows)
    if problems:
        raise _wrong(problems)
    return Accelerators(tuple(rows), sha256(content).digest())


def _called(number: int, fields: Any) -> str:
    name = fields.get("name") if isinstance(fields, dict) else None
    return f"accelerators[{number}]" + (f" ({name[:80]})" if isinstance(name, str) and name.isprintable() else "")


def _problems(row: str, error: ValidationError) -> list[str]:
    """What is wrong, without values: a token that stands in the wrong place is not told."""
    found = []
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        place = ".".join(str(part) for part in each["loc"] if part not in ("triton", "vllm", "openai", "oip", "openvino"))
        text = each["msg"].removeprefix("Value error, ")
        if each["type"] in ("union_tag_invalid", "union_tag_not_found"):
            place, text = "kind", "must be triton, vllm, openai, oip or openvino"
        found.append(f"{row}: {place}: {text}" if place else f"{row}: {text}")
    return found


def _twice(rows: list[Row]) -> list[str]:
    """Two rows of one name, or of one engine in one role."""
    names, places, found = dict[str, int](), dict[tuple[str, str], str](), []
    for number, row in enumerate(rows):
        if row.name in names:
            found.append(f"accelerators ({row.name}): name: occurs twice")
        names.setdefault(row.name, number)
        for role in row.roles:
            place = (row.url.rstrip("/").lower() + " " + getattr(row, "model", "") + " " + _served(row), role)
            if place in places and places[place] != row.name:
                found.append(f"accelerators ({row.name}): url: {places[place]} is the same engine in the same role")
            places.setdefault(place, row.name)
    return found


def _served(row: Row) -> str:
    """What the engine itself calls the model: two rows may be two models of one server."""
    return str(getattr(row.options, "served_model", ""))


def _wrong(problems: list[str]) -> InvalidDocument:
    return InvalidDocument("; ".join(problems)[:4000], reason=ACCELERATORS_INVALID)
