"""Errors as a person reads them, and the exit status that scripts read: 0 ok, 1 tamper, 2 usage, 3 unreachable.

Typed errors of the mesh and of the log become one line, and so does what the system says of a file; anything else is a bug and keeps
its traceback.
"""

from __future__ import annotations

import errno
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


BUG = 70  # EX_SOFTWARE: Python's own 1 would say tampered
_OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ETIMEDOUT})


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
    if isinstance(error, OSError):  # mostly of a path that was given
        return ExitCode.UNREACHABLE if error.errno in _OF_THE_MACHINE else ExitCode.USAGE
    return ExitCode.USAGE if isinstance(error, UnicodeEncodeError) else None


def describe(error: BaseException) -> str:
    """Return what went wrong, over as many lines as there are fields to correct that the first line does not name."""
    if isinstance(error, UnicodeEncodeError):
        return "an option or argument is not text in the encoding of this terminal"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if not isinstance(error, errors.MeshError):
        return str(error)
    lines = [f"{error.message} [{error.reason}]"]
    fields = (f"{violation.field}: {violation.description}" for violation in error.violations)
    lines += [f"  {field}" for field in fields if field not in error.message]
    if error.retry_after_s is not None:
        lines.append(f"  try again in {error.retry_after_s:g} s")
    return "\n".join(lines)


def report(error: BaseException) -> int:
    """Say what went wrong, on stderr, and return the exit status of a known error."""
    sys.stderr.write(f"finmesh: {describe(error)}\n")
    return int(exit_code(error) or BUG)


class Readable(TyperGroup):
    """The root group: turns known errors of any subcommand into one message on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if exit_code(error) is None:
                raise
            ctx.exit(report(error))
