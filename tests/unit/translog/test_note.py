"""Signed notes: the examples of the C2SP page, byte for byte, and what must be refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from translog.errors import MalformedError, SignatureError
from translog.note import Signer, Verifier, open_note, sign_note

VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# golang.org/x/mod/sumdb/note: the example signer of its documentation and what it verifies.
PETER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_NOTE = PETER_TEXT + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"


def test_the_example_of_the_specification() -> None:
    verifier = Verifier.parse(VKEY)
    assert str(verifier) == VKEY
    assert open_note(NOTE, [verifier]) == ("This is an example message.\n", (verifier,))


def test_the_example_of_the_go_implementation() -> None:
    """Ed25519 is deterministic: the same key and text give the same line."""
    signer = Signer.parse(PETER)
    assert signer.text() == PETER
    assert str(signer.verifier) == PETER_VKEY
    assert sign_note(PETER_TEXT, [signer]) == PETER_NOTE


@given(st.text(st.characters(blacklist_categories=["Cs"], min_codepoint=0x20), max_size=50), st.binary(min_size=32, max_size=32))
def test_what_is_signed_opens(text: str, seed: bytes) -> None:
    signer = Signer("log", seed)
    note = sign_note(text + "\n", [signer])
    assert open_note(note, [signer.verifier]) == (text + "\n", (signer.verifier,))


def test_several_signatures_and_unknown_keys(signer: Signer) -> None:
    """A witness adds a line; who does not know it ignores it."""
    witness, stranger = Signer("witness.test/a", bytes(32)), Signer("stranger", b"s" * 32)
    note = sign_note("text\n", [signer]) + witness.sign("text\n")
    assert open_note(note, [signer.verifier])[1] == (signer.verifier,)
    assert open_note(note, [witness.verifier, signer.verifier])[1] == (signer.verifier, witness.verifier)
    with pytest.raises(SignatureError, match="no known key"):
        open_note(note, [stranger.verifier])


def test_a_wrong_line_of_a_known_key_rejects_the_whole_note(signer: Signer) -> None:
    witness = Signer("witness.test/a", bytes(32))
    note = sign_note("text\n", [signer]) + witness.sign("other text\n")
    with pytest.raises(SignatureError, match=r"witness\.test/a"):
        open_note(note, [signer.verifier, witness.verifier])


def test_any_changed_character_of_the_text_is_seen() -> None:
    verifier = Verifier.parse(VKEY)
    for at in range(len("This is an example message.")):
        changed = NOTE[:at] + ("x" if NOTE[at] != "x" else "y") + NOTE[at + 1 :]
        with pytest.raises(SignatureError):
            open_note(changed, [verifier])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\nno dash\n",
        "text\n\n— a+b AAAAAAAA\n",
        "text\n\n— name not-base64\n",
        "text\n\n— name AAAA\n",
        "text\n\n— name AAAAAAA\n",
        "te\txt\n\n— name AAAAAAAA\n",
        "te\udc80xt\n\n— name AAAAAAAA\n",
        "text\n\n— name AAAAAAAA",
        "text\n\n" + "— name AAAAAAAA\n" * 65,
        "text\n" * 300_000 + "\n— name AAAAAAAA\n",
    ],
)
def test_malformed_notes(note: str) -> None:
    with pytest.raises(MalformedError):
        open_note(note, [Verifier.parse(VKEY)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a+b",
        "a+b+c",
        VKEY.replace("530d903a", "530d903b"),
        VKEY.replace("+Aek", "+Bek"),
        VKEY.replace("foo", "bar"),
        VKEY[:-4],
        " " + "+" * 3,
    ],
)
def test_malformed_verifier_keys(text: str) -> None:
    with pytest.raises(MalformedError):
        Verifier.parse(text)


@pytest.mark.parametrize(
    "text", ["", PETER.removeprefix("PRIVATE+KEY+"), PETER.replace("c74f20a3", "c74f20a4"), PETER[:-4], PETER.replace("+AYE", "+CYE")]
)
def test_malformed_signer_keys_are_refused_without_telling_them(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        Signer.parse(text)
    assert "AYEKFALV" not in str(caught.value)


def test_a_signer_does_not_show_its_key() -> None:
    signer = Signer.parse(PETER)
    assert "AYEKFALV" not in repr(signer) + str(signer)
    assert repr(signer.seed) not in repr(signer)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb", "a\u3000b"])
def test_key_names(name: str) -> None:
    with pytest.raises(MalformedError):
        Signer(name, bytes(32))
