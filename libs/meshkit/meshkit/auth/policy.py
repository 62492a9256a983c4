"""May this principal do this? Cedar policies behind a small interface; deny is the default.

Allowed only if Cedar says Allow and reports no error: a ``forbid`` that reads a missing attribute is skipped by the engine, so an error
must deny. Policies are validated against the schema when they are loaded; a broken file keeps the last good set. Decisions are remembered
for a second, because one costs 60 µs.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import cedarpy

from meshkit.clock import Clock, SystemClock

SCHEMA = "schema.cedarschema"
_REMEMBER_S = 1.0
_REMEMBERED = 8192
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """One question to the policy. ``grade`` is the data grade, 1 to 5; ``workload`` the certificate's or empty."""

    subject: str
    principal_tenant: str
    roles: frozenset[str]
    purposes: frozenset[str]
    workload: str
    action: str
    tenant: str
    scenario: str
    purpose: str
    grade: int


@dataclass(frozen=True, slots=True)
class _Loaded:
    policies: cedarpy.PolicySet
    schema: cedarpy.Schema
    hash: bytes


def _load(folder: Path) -> _Loaded:
    files = [folder / SCHEMA, *sorted(folder.glob("*.cedar"))]
    texts = [file.read_text("utf-8") for file in files]
    digest = hashlib.sha256()
    for file, text in zip(files, texts, strict=True):
        for part in (file.name.encode(), text.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    policies = "\n".join(texts[1:])
    schema = cedarpy.Schema.from_str(texts[0])
    result = cedarpy.validate_policies(policies, texts[0])
    if not result.validation_passed or not policies.strip():
        raise ValueError("; ".join(str(error) for error in result.errors) or "there is no policy")
    return _Loaded(cedarpy.PolicySet.from_str(policies), schema, digest.digest())


class CedarPolicy:
    """The policies of one folder: ``schema.cedarschema`` and every ``*.cedar``. Raises ValueError or OSError when broken at start."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._loaded = _load(folder)
        self._answers: dict[Question, tuple[float, bool]] = {}

    @property
    def hash(self) -> bytes:
        """Return the SHA-256 (32 bytes) over names and texts of the policies in force."""
        return self._loaded.hash

    async def reload(self) -> None:
        """Take changed files. Raises ValueError or OSError when they are broken; the last good ones stay in force."""
        fresh = _load(self._folder)
        if fresh.hash != self._loaded.hash:
            self._loaded = fresh
            self._answers.clear()
            _logger.info("policies reloaded", extra={"facts": {"policy_hash": fresh.hash.hex()[:16]}})

    def allows(self, question: Question) -> bool:
        """Return whether the policies in force allow it."""
        now_s = self._clock.monotonic_s()
        answer = self._answers.get(question)
        if answer is not None and now_s < answer[0]:
            return answer[1]
        allowed = self._ask(question)
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
        self._answers[question] = (now_s + _REMEMBER_S, allowed)
        return allowed

    def _ask(self, question: Question) -> bool:
        principal = {"type": "Principal", "id": question.subject}
        entities = [
            {
                "uid": principal,
                "attrs": {
                    "tenant": question.principal_tenant,
                    "roles": sorted(question.roles),
                    "purposes": sorted(question.purposes),
                },
                "parents": [],
            }
        ]
        request = {
            "principal": principal,
            "action": {"type": "Action", "id": question.action},
            "resource": {"type": "Tenant", "id": question.tenant},
            "context": {
                "workload": question.workload,
                "scenario": question.scenario,
                "purpose": question.purpose,
                "grade": question.grade,
                "tenant": question.tenant,
            },
        }
        result = cedarpy.is_authorized(request, self._loaded.policies, entities, self._loaded.schema)
        if result.diagnostics.errors:
            count = len(result.diagnostics.errors)
            _logger.error("a policy failed; denied", extra={"facts": {"action": question.action, "errors": count}})
            return False
        return bool(result.allowed)
