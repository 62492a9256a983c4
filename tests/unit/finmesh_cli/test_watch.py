from __future__ import annotations

from finmesh.risk.v1 import decision_pb2
from finmesh_cli.commands.watch import Board
from finmesh_cli.settings import Language
from rich.console import Console


def decided(name: str, outcome: decision_pb2.Outcome = decision_pb2.OUTCOME_APPROVE) -> bytes:
    return decision_pb2.TransactionDecided(decision_id=name, outcome=outcome).SerializeToString()


def text(board: Board) -> str:
    out = Console(width=160)
    with out.capture() as captured:
        out.print(board.table())
    return captured.get()


def test_a_decision_counts_once() -> None:
    board = Board(Language.EN)
    for name in ("a", "b", "a"):
        board.take(decided(name))
    assert board.decided == 2


def test_the_newest_stand_on_top_and_the_oldest_fall_out() -> None:
    board = Board(Language.EN, rows=2)
    for name in ("first", "second", "third"):
        board.take(decided(name))
    shown = text(board)
    assert "first" not in shown
    assert shown.index("third") < shown.index("second")


def test_what_is_no_decision_is_counted() -> None:
    board = Board(Language.EN)
    board.take(b"\xff\xff")
    assert (board.decided, board.unreadable) == (0, 1)
    assert "unreadable 1" in text(board)


def test_in_chinese() -> None:
    board = Board(Language.ZH)
    board.take(decided("a", decision_pb2.OUTCOME_DECLINE))
    assert "拒绝 1" in text(board)
