"""C2SP tlog-checkpoint: origin, size, root and extension lines as the text of a signed note. https://c2sp.org/tlog-checkpoint"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from translog.errors import MalformedError, SignatureError
from translog.merkle import HASH_BYTES
from translog.note import Signer, Verifier, decode_base64, open_note, sign_note

MAX_SIZE = 1 << 63


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to: `root` is the Merkle tree hash of its first `size` leaves."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.origin or any("\n" in line or not line for line in (self.origin, *self.extensions)):
            raise MalformedError("origin and extensions are non-empty single lines")
        if not 0 <= self.size < MAX_SIZE:
            raise MalformedError("a tree size is between 0 and 2**63 - 1")
        if len(self.root) != HASH_BYTES:
            raise MalformedError("a root hash has 32 bytes")

    @property
    def text(self) -> str:
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """From note text; strict, so that one checkpoint has one text. Raises MalformedError."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise MalformedError("a checkpoint has at least three non-empty lines")
        origin, size, root, *extensions = lines[:-1]
        if not (size.isascii() and size.isdigit() and len(size) <= 19) or size != str(int(size)):
            raise MalformedError("a tree size is a decimal number without leading zeroes")
        return cls(origin, int(size), decode_base64(root), tuple(extensions))

    def sign(self, signers: Iterable[Signer]) -> str:
        """The signed note."""
        return sign_note(self.text, signers)


def open_checkpoint(note: str, *, origin: str, log: Iterable[Verifier]) -> Checkpoint:
    """The checkpoint of a note that one of the log's keys signed, for this origin. Raises MalformedError, SignatureError."""
    text, _ = open_note(note, log)
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin != origin:
        raise SignatureError(f"a checkpoint of {checkpoint.origin!r}, not of {origin!r}")
    return checkpoint
