"""Inquiries of the OTC desk: `finmesh.otc.v1`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from finmesh.otc.v1 import otc_service_pb2 as pb
from meshkit.errors import FieldViolation, InvalidArgument
from meshkit.rpc.metadata import CallerFacts
from meshkit.tenants import checked_tenant
from otcdesk.inquiry import Inquiry, Intent, OptionType, Product, Side

from router.domain.desk import SCENARIO, Asked, Parsed
from router.domain.generation import Request, Text

_HIGHEST_GRADE = 5
_INTENTS = {intent: getattr(pb, f"INTENT_{intent.name}") for intent in Intent}
_PRODUCTS = {product: getattr(pb, f"PRODUCT_{product.name}") for product in Product}
_SIDES = {side: getattr(pb, f"SIDE_{side.name}") for side in Side}
_OPTIONS = {option: getattr(pb, f"OPTION_TYPE_{option.name}") for option in OptionType}
_ENUMS: dict[str, dict[Any, int]] = {"intent": _INTENTS, "product": _PRODUCTS, "side": _SIDES, "option_type": _OPTIONS}
_WORDS = ("underlying", "underlying_text", "bond_code")
_LONGEST_WORDS = 64
_NUMBERS = tuple(field.name for field in pb.Inquiry.DESCRIPTOR.fields if field.name not in (*_ENUMS, *_WORDS))


def asked(message: pb.ParseOtcInquiryRequest, facts: CallerFacts) -> Asked:
    """Return what a caller asks. Raises InvalidArgument for a wrong tenant, or last terms that are none."""
    request = Request(
        tenant=checked_tenant(message.tenant),
        scenario=message.scenario or facts.scenario or SCENARIO,
        model="",
        grade=int(message.grade) or _HIGHEST_GRADE,  # no grade was stated: treated as the highest
        input=Text(""),
        request_id=facts.request_id,
        principal=facts.principal,
        purpose=facts.purpose,
        policy_hash=facts.policy_hash,
        budget_key=facts.budget_key,
    )
    return Asked(request, message.text, _inquiry(message.last_terms) if message.HasField("last_terms") else None)


def _inquiry(message: pb.Inquiry) -> Inquiry:
    values: dict[str, Any] = {}
    for name, numbers in _ENUMS.items():
        number = getattr(message, name)
        found = next((value for value, each in numbers.items() if each == number), None)
        if number and found is None:
            raise _wrong(name, "is not known here")
        values[name] = found
    for name in _WORDS:
        if message.HasField(name):
            values[name] = getattr(message, name)
            if len(values[name]) > _LONGEST_WORDS:
                raise _wrong(name, f"at most {_LONGEST_WORDS} characters")
    for name in _NUMBERS:
        if message.HasField(name):
            values[name] = _number(name, getattr(message, name))
    values["intent"] = values["intent"] or Intent.QUOTE
    return Inquiry(**values)


def _number(name: str, value: float) -> Decimal:
    try:
        found = Decimal(repr(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise _wrong(name, "must be a finite number")
    return found


def _wrong(name: str, description: str) -> InvalidArgument:
    violation = FieldViolation(f"last_terms.{name}", description)
    return InvalidArgument("the last terms are wrong", reason="LAST_TERMS_INVALID", violations=(violation,))


def response(parsed: Parsed) -> pb.ParseOtcInquiryResponse:
    """Return the message of what a text means."""
    return pb.ParseOtcInquiryResponse(
        inquiry=_message(parsed.inquiry),
        terms=_message(parsed.terms),
        own_text=parsed.written,
        confidence=parsed.confidence,
        needs_confirmation=parsed.needs_confirmation,
        unresolved=[pb.Unresolved(reason=each.reason, field=each.field, words=each.words) for each in parsed.unresolved],
        model=parsed.admitted.model,
        release=parsed.admitted.release,
        generation_id=parsed.admitted.generation_id,
        record_ids=[parsed.ended.started_record_id, parsed.ended.ended_record_id],
    )


def _message(inquiry: Inquiry) -> pb.Inquiry:
    message = pb.Inquiry()
    for name, numbers in _ENUMS.items():
        if (value := getattr(inquiry, name)) is not None:
            setattr(message, name, numbers[value])
    for name in _WORDS:
        if (words := getattr(inquiry, name)) is not None:
            setattr(message, name, words)
    for name in _NUMBERS:
        if (number := getattr(inquiry, name)) is not None:
            setattr(message, name, float(number))
    return message
