"""Errors of the log, and the exit codes a command line gives for them. Knows no transport: callers translate."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a process that verifies returns; stable, scripts depend on it."""

    OK = 0
    TAMPER = 1
    USAGE = 2
    UNREACHABLE = 3


class TranslogError(Exception):
    """Root of this package's errors."""

    exit_code = ExitCode.TAMPER


class MalformedError(TranslogError):
    """Input that is not in the format it should be (note, key, checkpoint, proof bundle)."""

    exit_code = ExitCode.USAGE


class SignatureError(TranslogError):
    """A note whose signature by a known key is wrong, or that no known key signed."""


class ProofError(TranslogError):
    """An inclusion or consistency proof that does not lead to the root."""


class TamperedError(TranslogError):
    """The store contradicts itself or a checkpoint that was signed before."""


class RolledBackError(TamperedError):
    """The log is smaller than a checkpoint that was pinned: an older copy was restored, or its tail was cut."""


class RewrittenError(TamperedError):
    """The log has another history than a checkpoint that was pinned."""


class NewerFormatError(TranslogError):
    """Something that a later version of this program writes: no sign of tampering, and not for this one to judge."""

    exit_code = ExitCode.USAGE


class NotFoundError(TranslogError):
    """No such leaf, size or store."""

    exit_code = ExitCode.USAGE


class RecordTooLargeError(TranslogError):
    """A leaf body above 65,535 bytes, which tile entry bundles cannot hold."""

    exit_code = ExitCode.USAGE


class ReservedRecordError(TranslogError):
    """A record whose bytes pretend to be a leaf that only the log itself writes."""

    exit_code = ExitCode.USAGE


class StoreBusyError(TranslogError):
    """Another writer has this store open."""

    exit_code = ExitCode.UNREACHABLE


class StoreFencedError(TranslogError):
    """A later writer took the store over; this one must stop writing for good."""

    exit_code = ExitCode.UNREACHABLE


class StoreFailedError(TranslogError):
    """A commit failed (disk full, I/O error, lost connection): what was in memory can no longer be believed. Open the log again.

    `disk` says that the storage itself failed: after a failed fsync a process must not go on (the page cache may claim what the disk
    does not hold).
    """

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, message: str, *, disk: bool = False) -> None:
        super().__init__(message)
        self.disk = disk
