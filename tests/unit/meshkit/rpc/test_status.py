"""Typed errors survive the wire; everything else says nothing."""

import inspect

import grpc
import pytest
from meshkit import errors
from meshkit.rpc import status

TYPED = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.MeshError) and cls is not errors.MeshError]


def over_the_wire(error: BaseException) -> errors.MeshError:
    code, message, details = status.to_status(error)
    return status.from_status(code, message, details)


@pytest.mark.parametrize("cls", TYPED)
def test_every_class_comes_back_as_itself(cls: type[errors.MeshError]) -> None:
    sent = cls("说明", reason="SOME_CASE", metadata={"a": "b"}, retry_after_s=1.25, violations=(errors.FieldViolation("x.y", "z"),))
    back = over_the_wire(sent)
    assert type(back) is cls
    assert (back.message, back.reason, back.metadata) == (sent.message, sent.reason, sent.metadata)
    assert (back.retry_after_s, back.violations) == (sent.retry_after_s, sent.violations)


@pytest.mark.parametrize("cls", TYPED)
def test_every_class_has_a_code_of_its_own_in_the_table(cls: type[errors.MeshError]) -> None:
    assert status.code_of(cls("x")) is not grpc.StatusCode.INTERNAL


def test_a_subclass_without_a_row_travels_as_its_base() -> None:
    class Special(errors.NotFound):
        default_reason = "SPECIAL"

    back = over_the_wire(Special("gone"))
    assert (type(back), back.reason) == (errors.NotFound, "SPECIAL")


@pytest.mark.parametrize("error", [RuntimeError("secret"), errors.MeshError("secret"), KeyError("secret"), BaseException("secret")])
def test_a_bug_is_an_internal_error_without_its_text(error: BaseException) -> None:
    code, message, details = status.to_status(error)
    assert (code, message) == (grpc.StatusCode.INTERNAL, "internal error")
    assert b"secret" not in details


def test_a_long_message_is_cut() -> None:
    assert len(over_the_wire(errors.NotFound("m" * 10_000)).message) == 500


@pytest.mark.parametrize(
    ("code", "cls", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, errors.Unavailable, "UNAVAILABLE"),
        (grpc.StatusCode.UNIMPLEMENTED, errors.FailedPrecondition, "UNIMPLEMENTED"),
        (grpc.StatusCode.ABORTED, errors.Conflict, "ABORTED"),
        (grpc.StatusCode.CANCELLED, errors.Unavailable, "CANCELLED"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.Overloaded, "RESOURCE_EXHAUSTED"),
        (grpc.StatusCode.UNKNOWN, errors.MeshError, "INTERNAL"),
        (grpc.StatusCode.INTERNAL, errors.MeshError, "INTERNAL"),
    ],
)
@pytest.mark.parametrize("details", [None, b"", b"\xff\xff"])
def test_a_foreign_status_gets_the_nearest_class(code: grpc.StatusCode, cls: type, reason: str, details: bytes | None) -> None:
    back = status.from_status(code, "text of a stranger", details)
    assert (type(back), back.reason) == (cls, reason)


def test_an_error_class_that_does_not_fit_its_code_is_not_believed() -> None:
    _, _, details = status.to_status(errors.Overloaded("x", reason="QUEUE_FULL"))
    assert type(status.from_status(grpc.StatusCode.NOT_FOUND, "x", details)) is errors.NotFound


def test_identifiers_in_what_an_error_says_are_masked() -> None:
    card, mobile = "6222021234567890128", "13812345678"
    wrong = errors.FieldViolation(f"labels[{card}]", f"is the mobile number {mobile}")
    error = errors.InvalidArgument(f"card {card}", metadata={"field": f"手机{mobile}"}, violations=(wrong,))
    _, message, details = status.to_status(error)
    assert message == "card [card]"
    assert card.encode() not in details and mobile.encode() not in details
    back = over_the_wire(error)
    assert back.violations == (errors.FieldViolation("labels[[card]]", "is the mobile number [mobile]"),)
    assert back.metadata == {"field": "手机[mobile]"}
