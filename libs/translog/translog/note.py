"""C2SP signed notes: text, a blank line, signature lines; Ed25519 (type 0x01).

A note is worth nothing before `open_note`: it returns text only if a known key signed it. Unknown keys are ignored, so that witnesses
can add lines and keys can rotate; a wrong line of a known key rejects the whole note. https://c2sp.org/signed-note
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from translog.errors import MalformedError, SignatureError

ED25519 = 0x01
MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 64
_PRIVATE = "PRIVATE+KEY+"


def _check_name(name: str) -> str:
    if not name or "+" in name or any(c.isspace() or ord(c) < 0x20 for c in name):
        raise MalformedError("a key name must be non-empty, without spaces, control characters or '+'")
    return name


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + public).digest()[:4]


def decode_base64(text: str) -> bytes:
    """Strict standard base64: padding required, and only the canonical encoding of its bytes. Raises MalformedError."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise MalformedError("not canonical base64")
    return raw


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and its name."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public) != 32:
            raise MalformedError("an Ed25519 public key has 32 bytes")

    @property
    def key_id(self) -> bytes:
        return _key_id(self.name, self.public)

    def __str__(self) -> str:
        """The verifier key text: name+id+base64(type || key)."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([ED25519]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """From verifier key text. Raises MalformedError."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = decode_base64(encoded)
        if not raw or raw[0] != ED25519:
            raise MalformedError("only Ed25519 verifier keys (type 0x01) are known")
        verifier = cls(name, raw[1:])
        if verifier.key_id.hex() != key_id:
            raise MalformedError("the key id does not belong to name and key")
        return verifier

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether this key signed the message: the note's text up to and with its last newline (C2SP signed-note), not the whole note."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """A private key and its name; `repr` shows no key."""

    name: str
    seed: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.seed) != 32:
            raise MalformedError("an Ed25519 seed has 32 bytes")

    def __repr__(self) -> str:
        return f"Signer({self.verifier})"

    @classmethod
    def generate(cls, name: str) -> "Signer":
        """A new key from the operating system's randomness. Raises MalformedError for a name that a note cannot carry."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    def text(self) -> str:
        """The signer key text (secret): PRIVATE+KEY+name+id+base64(type || seed), as Go's sumdb/note writes it."""
        encoded = base64.b64encode(bytes([ED25519]) + self.seed).decode()
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{encoded}"

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """From signer key text. Raises MalformedError; messages never hold the key."""
        text = text.strip()
        if not text.startswith(_PRIVATE):
            raise MalformedError("not a signer key")
        name, _, rest = text.removeprefix(_PRIVATE).partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = decode_base64(encoded)
        if not raw or raw[0] != ED25519:
            raise MalformedError("only Ed25519 signer keys (type 0x01) are known")
        signer = cls(name, raw[1:])
        if signer.verifier.key_id.hex() != key_id:
            raise MalformedError("the key id does not belong to name and key")
        return signer

    def sign(self, text: str) -> str:
        """One signature line over `text`, newline included."""
        _check_text(text)
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return f"— {self.name} {base64.b64encode(self.verifier.key_id + signature).decode()}\n"


def sign_note(text: str, signers: Iterable[Signer]) -> str:
    """A whole note. `text` ends in a newline."""
    lines = [signer.sign(text) for signer in signers]
    if not lines:
        raise MalformedError("a note needs a signature")
    return text + "\n" + "".join(lines)


def open_note(note: str, verifiers: Iterable[Verifier]) -> tuple[str, tuple[Verifier, ...]]:
    """(text, the known keys that signed it). Raises MalformedError, SignatureError."""
    text, lines = _split_note(note)
    known = {(v.name, v.key_id): v for v in verifiers}
    signed: dict[tuple[str, bytes], Verifier] = {}
    for name, raw in lines:
        key = (name, raw[:4])
        verifier = known.get(key)
        if verifier is None or key in signed:
            continue
        if not verifier.verify(text.encode(), raw[4:]):
            raise SignatureError(f"wrong signature by {name}")
        signed[key] = verifier
    if not signed:
        raise SignatureError("no known key signed this note")
    return text, tuple(signed.values())


def _split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    _check_text(note)
    if len(note.encode()) > MAX_NOTE_BYTES:
        raise MalformedError("the note is too long")
    cut = note.rfind("\n\n")
    if cut < 0:
        raise MalformedError("the note has no signatures")
    lines = note[cut + 2 :].split("\n")[:-1]
    if not 0 < len(lines) <= MAX_SIGNATURES:
        raise MalformedError(f"a note has 1 to {MAX_SIGNATURES} signatures")
    return note[: cut + 1], [_signature_line(line) for line in lines]


def _signature_line(line: str) -> tuple[str, bytes]:
    if not line.startswith("— "):
        raise MalformedError("a signature line starts with an em dash and a space")
    name, _, encoded = line[2:].partition(" ")
    raw = decode_base64(encoded)
    if len(raw) < 5:
        raise MalformedError("a signature has a key id and at least one byte")
    return _check_name(name), raw


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise MalformedError("a note ends in a newline")
    if any(ord(c) < 0x20 and c != "\n" for c in text):
        raise MalformedError("a note holds no control characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MalformedError("a note is valid UTF-8") from error
