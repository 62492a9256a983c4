"""May this principal do this? Cedar policies behind a small interface; deny is the default.

Allowed only if Cedar says Allow and reports no error: a ``forbid`` that reads a missing attribute is skipped by the engine, so an error
must deny. Policies are validated against the schema when they are loaded; a broken file keeps the last good set. Surprising: Cedar's parser
recurses on the C stack and takes the process along, so nesting is bounded before it sees a text. An answer follows from the question and
the policies alone (Cedar reads no clock): it is remembered while they are in force, because asking costs 60 µs; that the engine failed, for
a second.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import NamedTuple

import cedarpy

from meshkit.clock import Clock, SystemClock
from meshkit.errors import InvalidDocument, is_failure
from meshkit.reload import Reloaded, read_file

SCHEMA = "schema.cedarschema"
POLICIES_INVALID = "POLICIES_INVALID"
_MAX_DEPTH = 50
_MAX_FILES = 100
_NESTING = re.compile(r"""//[^\n]*|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|(?P<open>[(\[{]|\bif\b)|(?P<close>[)\]}])""", re.DOTALL)
_REMEMBER_FAILURE_S = 1.0
_REMEMBERED = 8192
_logger = logging.getLogger(__name__)


class Question(NamedTuple):
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


_Files = tuple[tuple[str, bytes], ...]


def _read(folder: Path) -> _Files:
    """Return names and contents: the schema, then the policies by name."""
    files = [folder / SCHEMA, *sorted(folder.glob("*.cedar"))]
    if len(files) > _MAX_FILES:
        raise InvalidDocument(f"there are more than {_MAX_FILES} files")
    return tuple((file.name, read_file(file)) for file in files)


def _load(files: _Files) -> _Loaded:
    digest = hashlib.sha256()
    texts = []
    for name, content in files:
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
        texts.append(_text(name, content))
    policies = "\n".join(texts[1:])
    if not policies.strip():
        raise InvalidDocument("there is no policy")
    try:
        schema = cedarpy.Schema.from_str(texts[0])
        result = cedarpy.validate_policies(policies, texts[0])
        if not result.validation_passed:
            raise InvalidDocument("; ".join(str(error) for error in result.errors))
        return _Loaded(cedarpy.PolicySet.from_str(policies), schema, digest.digest())
    except ValueError as error:
        raise InvalidDocument(str(error)) from None


def _text(name: str, content: bytes) -> str:
    """Return a file's text. Raises InvalidDocument when it is no UTF-8 or nested deeper than the parser survives."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidDocument(f"{name} is not UTF-8") from None
    depth = 0  # an `if` has no end of its own: it counts until the file's end
    for match in _NESTING.finditer(text):
        depth += 1 if match["open"] else -1 if match["close"] else 0
        if depth > _MAX_DEPTH:
            raise InvalidDocument(f"{name} is nested too deeply")
    return text


class CedarPolicy:
    """The policies of one folder: ``schema.cedarschema`` and every ``*.cedar``. Raises FailedPrecondition when broken at start."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._files = Reloaded(f"policies {folder}", partial(_read, folder), _load, reason=POLICIES_INVALID)
        self._answers: dict[Question, tuple[float, bool]] = {}
        self._answered = self._files.value  # whose answers these are

    @property
    def hash(self) -> bytes:
        """Return the SHA-256 (32 bytes) over names and texts of the policies in force."""
        return self._files.value.hash

    async def reload(self) -> None:
        """Take changed files. Raises FailedPrecondition while they are broken; the last good ones stay in force."""
        await self._files.reload()

    def allows(self, question: Question) -> bool:
        """Return whether the policies in force allow it."""
        loaded = self._files.value
        if loaded is not self._answered:
            self._answers.clear()
            self._answered = loaded
        now_s = self._clock.monotonic_s()
        answer = self._answers.get(question)
        if answer is not None and now_s < answer[0]:
            return answer[1]
        allowed, until_s = self._ask(question, loaded), inf
        if allowed is None:
            allowed, until_s = False, now_s + _REMEMBER_FAILURE_S
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
        self._answers[question] = (until_s, allowed)
        return allowed

    @staticmethod
    def _ask(question: Question, loaded: _Loaded) -> bool | None:
        """Return the answer, None when the engine or a policy fails."""
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
        try:
            result = cedarpy.is_authorized(request, loaded.policies, entities, loaded.schema)
        except BaseException as error:
            if not is_failure(error):
                raise
            _logger.error("the policy engine failed; denied", extra={"facts": {"action": question.action, "error": type(error).__name__}})
            return None
        if result.diagnostics.errors:
            count = len(result.diagnostics.errors)
            _logger.error("a policy failed; denied", extra={"facts": {"action": question.action, "errors": count}})
            return None
        return bool(result.allowed)
