"""Bodies of ``/v1/otc/inquiries`` as the router's request, and its answer as a document. What the text does not state is null."""

from __future__ import annotations

from typing import Any

from finmesh.otc.v1 import otc_service_pb2 as otc
from google.protobuf.descriptor import FieldDescriptor

from gateway.openai.answers import dumped
from gateway.openai.fields import Fields, document, wrong

FIELDS: tuple[FieldDescriptor, ...] = tuple(otc.Inquiry.DESCRIPTOR.fields)  # type: ignore[arg-type]
LONGEST_WORDS = 64
_LARGEST = 1e15


def words(field: FieldDescriptor) -> dict[str, int]:
    """Return what a field of a closed set may say, in small letters, with its numbers."""
    assert field.enum_type is not None, "of a closed set"
    prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
    return {value.name.removeprefix(prefix).lower(): value.number for value in field.enum_type.values if value.number}


_WORDS = {field.name: words(field) for field in FIELDS if field.enum_type is not None}


def read(content: bytes) -> otc.ParseOtcInquiryRequest:
    """Return the request of a body; tenant, scenario and grade are the door's to say. Raises InvalidArgument."""
    fields = Fields(document(content))
    request = otc.ParseOtcInquiryRequest(text=_utf8("text", fields.text("text")))
    last = fields.take("last_terms")
    if last is not None:
        _read_terms(Fields(last, "last_terms."), request.last_terms)
        request.last_terms.SetInParent()
    fields.end()
    return request


def _read_terms(fields: Fields, terms: otc.Inquiry) -> None:
    for field in FIELDS:
        place = fields.place + field.name
        if field.name in _WORDS:
            said = fields.text(field.name, "")
            if said and said not in _WORDS[field.name]:
                raise wrong(place, f"must be one of {', '.join(_WORDS[field.name])}")
            setattr(terms, field.name, _WORDS[field.name].get(said, 0))
        elif field.type == FieldDescriptor.TYPE_STRING:
            text = _utf8(place, fields.text(field.name, ""))
            if len(text) > LONGEST_WORDS:
                raise wrong(place, f"at most {LONGEST_WORDS} characters")
            if text:
                setattr(terms, field.name, text)
        else:
            number = fields.number(field.name, 0, _LARGEST, -1.0)
            if number >= 0:
                setattr(terms, field.name, number)
    fields.end()


def _utf8(place: str, text: str) -> str:
    """Return a text that is one: half of a character can't travel."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise wrong(place, "must be text of whole characters") from None
    return text


def answer(response: otc.ParseOtcInquiryResponse) -> bytes:
    """Return the document of an answer."""
    return dumped(
        {
            "id": response.generation_id,
            "object": "otc.inquiry",
            "inquiry": inquiry(response.inquiry),
            "terms": inquiry(response.terms),
            "own_text": response.own_text,
            "confidence": response.confidence,
            "needs_confirmation": response.needs_confirmation,
            "unresolved": [{"reason": each.reason, "field": each.field or None, "words": each.words} for each in response.unresolved],
            "model": response.model,
            "release": response.release,
            "record_ids": list(response.record_ids),
        }
    )


def inquiry(message: otc.Inquiry) -> dict[str, Any]:
    """Return every field of an inquiry."""
    found: dict[str, Any] = {}
    for field in FIELDS:
        value = getattr(message, field.name)
        if field.name in _WORDS:
            found[field.name] = next((word for word, number in _WORDS[field.name].items() if number == value), None)
        elif not message.HasField(field.name):
            found[field.name] = None
        else:
            found[field.name] = int(value) if isinstance(value, float) and value.is_integer() else value
    return found
