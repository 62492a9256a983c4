"""Errors as a person reads them, and the exit status that scripts read: 0 ok, 1 tamper, 2 usage, 3 unreachable.

Typed errors of the mesh and of the log become one line; anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import sys
from typing import Any

from meshkit import errors
from translog.errors import ExitCode, TranslogError
from typer.core import TyperGroup

_UNREACHABLE = (errors.Unavailable, errors.DeadlineExceeded, errors.Overloaded, errors.QuotaExceeded)
_USAGE = (
    errors.InvalidArgument,
    errors.FailedPrecondition,
    errors.Conflict,
    errors.NotFound,
    errors.Unauthenticated,
    errors.PermissionDenied,
)


class UsageError(Exception):
    """The command was used wrongly; the text says how to do better."""


class UnreachableError(Exception):
    """Something that must be asked does not answer, or not yet."""


class TamperError(Exception):
    """Two things that must agree do not."""


def exit_code(error: BaseException) -> ExitCode | None:
    """Return the exit status of an error, None when it is a bug."""
    if isinstance(error, TranslogError):
        return error.exit_code
    if isinstance(error, (TamperError, errors.DataCorrupted)):
        return ExitCode.TAMPER
    if isinstance(error, (UsageError, *_USAGE)):
        return ExitCode.USAGE
    if isinstance(error, (UnreachableError, *_UNREACHABLE)) or type(error) is errors.MeshError:
        return ExitCode.UNREACHABLE
    return None


def describe(error: BaseException) -> str:
    """Return what went wrong, over as many lines as there are fields to correct that the first line does not name."""
    if not isinstance(error, errors.MeshError):
        return str(error)
    lines = [f"{error.message} [{error.reason}]"]
    fields = (f"{violation.field}: {violation.description}" for violation in error.violations)
    lines += [f"  {field}" for field in fields if field not in error.message]
    if error.retry_after_s is not None:
        lines.append(f"  try again in {error.retry_after_s:g} s")
    return "\n".join(lines)


class Readable(TyperGroup):
    """The root group: turns known errors of any subcommand into one message on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            code = exit_code(error)
            if code is None:
                raise
            sys.stderr.write(f"finmesh: {describe(error)}\n")
            ctx.exit(int(code))
