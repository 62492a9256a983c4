"""Pinned checkpoint files: atomic, and read with a clear error."""

import pytest
from translog.anchor import check_pinned, read_note, write_note
from translog.checkpoint import Checkpoint
from translog.errors import ExitCode, NotFoundError, RewrittenError, RolledBackError


def test_a_note_file_is_replaced_as_a_whole(tmp_path) -> None:
    path = tmp_path / "pinned"
    for text in ("first\n", "second 审计\n"):
        write_note(path, text)
        assert read_note(path) == text
    assert [p.name for p in tmp_path.iterdir()] == ["pinned"]


def test_a_missing_or_binary_note_file(tmp_path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    for name in ("none", "binary"):
        with pytest.raises(NotFoundError):
            read_note(tmp_path / name)


def test_smaller_other_and_foreign_logs(open_log, batch_of, signer) -> None:
    log = open_log()
    committed = log.append(batch_of(*range(9)))
    check_pinned(log.reader, committed.checkpoint)
    check_pinned(log.reader, Checkpoint(signer.name, 4, log.reader.root_at(4)))
    for pinned, error in [
        (Checkpoint(signer.name, 12, bytes(32)), RolledBackError),
        (Checkpoint(signer.name, 11, bytes(32)), RewrittenError),
        (Checkpoint("other", 11, committed.checkpoint.root), RewrittenError),
    ]:
        with pytest.raises(error) as caught:
            check_pinned(log.reader, pinned)
        assert caught.value.exit_code == ExitCode.TAMPER
