"""Checkpoints: the text of the C2SP page, one text per checkpoint, and whose signature counts."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from translog.checkpoint import Checkpoint, open_checkpoint
from translog.errors import MalformedError, SignatureError
from translog.note import Signer

ROOT = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_the_text_of_the_specification() -> None:
    checkpoint = Checkpoint("example.com/behind-the-sofa", 20_852_163, ROOT)
    assert checkpoint.text == TEXT
    assert Checkpoint.parse(TEXT) == checkpoint


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(st.text("abc 审计", min_size=1), max_size=3))
def test_round_trip(size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint("origin", size, root, tuple(extensions))
    assert Checkpoint.parse(checkpoint.text) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n1\n",
        TEXT.rstrip("\n"),
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "+1"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", "1_0"),
        TEXT.replace("20852163", "٣"),
        TEXT.replace("20852163", "9223372036854775808"),
        TEXT.replace("20852163", "9" * 5000),
        TEXT.replace("q2I=", "q2J="),
        TEXT.replace("CsUY", ""),
        TEXT + "\nextension\n",
        "\n" + TEXT,
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        Checkpoint.parse(text)


def test_opening_needs_the_right_origin_and_key(signer: Signer) -> None:
    checkpoint = Checkpoint(signer.name, 7, ROOT, ("extension",))
    note = checkpoint.sign([signer, Signer("witness", bytes(32))])
    assert open_checkpoint(note, origin=signer.name, log=[signer.verifier]) == checkpoint
    with pytest.raises(SignatureError, match="not of 'other'"):
        open_checkpoint(note, origin="other", log=[signer.verifier])
    with pytest.raises(SignatureError):
        open_checkpoint(note, origin=signer.name, log=[Signer(signer.name, bytes(32)).verifier])
