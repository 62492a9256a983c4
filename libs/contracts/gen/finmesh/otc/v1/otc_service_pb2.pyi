from finmesh.common.v1 import grade_pb2 as _grade_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Intent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INTENT_UNSPECIFIED: _ClassVar[Intent]
    INTENT_QUOTE: _ClassVar[Intent]
    INTENT_FOLLOW_UP: _ClassVar[Intent]
    INTENT_ORDER: _ClassVar[Intent]
    INTENT_CANCEL: _ClassVar[Intent]
    INTENT_OTHER: _ClassVar[Intent]

class Product(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRODUCT_UNSPECIFIED: _ClassVar[Product]
    PRODUCT_VANILLA: _ClassVar[Product]
    PRODUCT_SNOWBALL: _ClassVar[Product]
    PRODUCT_BOND: _ClassVar[Product]

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    SIDE_BUY: _ClassVar[Side]
    SIDE_SELL: _ClassVar[Side]

class OptionType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPTION_TYPE_UNSPECIFIED: _ClassVar[OptionType]
    OPTION_TYPE_CALL: _ClassVar[OptionType]
    OPTION_TYPE_PUT: _ClassVar[OptionType]
INTENT_UNSPECIFIED: Intent
INTENT_QUOTE: Intent
INTENT_FOLLOW_UP: Intent
INTENT_ORDER: Intent
INTENT_CANCEL: Intent
INTENT_OTHER: Intent
PRODUCT_UNSPECIFIED: Product
PRODUCT_VANILLA: Product
PRODUCT_SNOWBALL: Product
PRODUCT_BOND: Product
SIDE_UNSPECIFIED: Side
SIDE_BUY: Side
SIDE_SELL: Side
OPTION_TYPE_UNSPECIFIED: OptionType
OPTION_TYPE_CALL: OptionType
OPTION_TYPE_PUT: OptionType

class Inquiry(_message.Message):
    __slots__ = ("intent", "product", "side", "underlying", "underlying_text", "option_type", "notional_cny", "tenor_months", "strike_pct", "knock_in_pct", "knock_out_pct", "knock_out_step_pct", "lockup_months", "coupon_pct", "bond_code", "yield_pct", "face_cny")
    INTENT_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    UNDERLYING_FIELD_NUMBER: _ClassVar[int]
    UNDERLYING_TEXT_FIELD_NUMBER: _ClassVar[int]
    OPTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_CNY_FIELD_NUMBER: _ClassVar[int]
    TENOR_MONTHS_FIELD_NUMBER: _ClassVar[int]
    STRIKE_PCT_FIELD_NUMBER: _ClassVar[int]
    KNOCK_IN_PCT_FIELD_NUMBER: _ClassVar[int]
    KNOCK_OUT_PCT_FIELD_NUMBER: _ClassVar[int]
    KNOCK_OUT_STEP_PCT_FIELD_NUMBER: _ClassVar[int]
    LOCKUP_MONTHS_FIELD_NUMBER: _ClassVar[int]
    COUPON_PCT_FIELD_NUMBER: _ClassVar[int]
    BOND_CODE_FIELD_NUMBER: _ClassVar[int]
    YIELD_PCT_FIELD_NUMBER: _ClassVar[int]
    FACE_CNY_FIELD_NUMBER: _ClassVar[int]
    intent: Intent
    product: Product
    side: Side
    underlying: str
    underlying_text: str
    option_type: OptionType
    notional_cny: float
    tenor_months: float
    strike_pct: float
    knock_in_pct: float
    knock_out_pct: float
    knock_out_step_pct: float
    lockup_months: float
    coupon_pct: float
    bond_code: str
    yield_pct: float
    face_cny: float
    def __init__(self, intent: _Optional[_Union[Intent, str]] = ..., product: _Optional[_Union[Product, str]] = ..., side: _Optional[_Union[Side, str]] = ..., underlying: _Optional[str] = ..., underlying_text: _Optional[str] = ..., option_type: _Optional[_Union[OptionType, str]] = ..., notional_cny: _Optional[float] = ..., tenor_months: _Optional[float] = ..., strike_pct: _Optional[float] = ..., knock_in_pct: _Optional[float] = ..., knock_out_pct: _Optional[float] = ..., knock_out_step_pct: _Optional[float] = ..., lockup_months: _Optional[float] = ..., coupon_pct: _Optional[float] = ..., bond_code: _Optional[str] = ..., yield_pct: _Optional[float] = ..., face_cny: _Optional[float] = ...) -> None: ...

class Unresolved(_message.Message):
    __slots__ = ("reason", "field", "words")
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    reason: str
    field: str
    words: str
    def __init__(self, reason: _Optional[str] = ..., field: _Optional[str] = ..., words: _Optional[str] = ...) -> None: ...

class ParseOtcInquiryRequest(_message.Message):
    __slots__ = ("tenant", "scenario", "grade", "text", "last_terms")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LAST_TERMS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    scenario: str
    grade: _grade_pb2.DataGrade
    text: str
    last_terms: Inquiry
    def __init__(self, tenant: _Optional[str] = ..., scenario: _Optional[str] = ..., grade: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., text: _Optional[str] = ..., last_terms: _Optional[_Union[Inquiry, _Mapping]] = ...) -> None: ...

class ParseOtcInquiryResponse(_message.Message):
    __slots__ = ("inquiry", "terms", "own_text", "confidence", "needs_confirmation", "unresolved", "model", "release", "generation_id", "record_ids")
    INQUIRY_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    OWN_TEXT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    NEEDS_CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    UNRESOLVED_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    RECORD_IDS_FIELD_NUMBER: _ClassVar[int]
    inquiry: Inquiry
    terms: Inquiry
    own_text: str
    confidence: float
    needs_confirmation: bool
    unresolved: _containers.RepeatedCompositeFieldContainer[Unresolved]
    model: str
    release: str
    generation_id: str
    record_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, inquiry: _Optional[_Union[Inquiry, _Mapping]] = ..., terms: _Optional[_Union[Inquiry, _Mapping]] = ..., own_text: _Optional[str] = ..., confidence: _Optional[float] = ..., needs_confirmation: _Optional[bool] = ..., unresolved: _Optional[_Iterable[_Union[Unresolved, _Mapping]]] = ..., model: _Optional[str] = ..., release: _Optional[str] = ..., generation_id: _Optional[str] = ..., record_ids: _Optional[_Iterable[str]] = ...) -> None: ...
