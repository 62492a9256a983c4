import datetime

from finmesh.common.v1 import money_pb2 as _money_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Channel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_UNSPECIFIED: _ClassVar[Channel]
    CHANNEL_CARD_PRESENT: _ClassVar[Channel]
    CHANNEL_ECOMMERCE: _ClassVar[Channel]
    CHANNEL_TRANSFER: _ClassVar[Channel]
    CHANNEL_ATM: _ClassVar[Channel]

class LifecycleType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIFECYCLE_TYPE_UNSPECIFIED: _ClassVar[LifecycleType]
    LIFECYCLE_TYPE_AUTHORIZATION_APPROVED: _ClassVar[LifecycleType]
    LIFECYCLE_TYPE_AUTHORIZATION_DECLINED: _ClassVar[LifecycleType]
    LIFECYCLE_TYPE_REVERSAL: _ClassVar[LifecycleType]
    LIFECYCLE_TYPE_REFUND: _ClassVar[LifecycleType]
    LIFECYCLE_TYPE_STAND_IN_ADVICE: _ClassVar[LifecycleType]

class LabelType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LABEL_TYPE_UNSPECIFIED: _ClassVar[LabelType]
    LABEL_TYPE_CHARGEBACK: _ClassVar[LabelType]
    LABEL_TYPE_CONFIRMED_FRAUD: _ClassVar[LabelType]
    LABEL_TYPE_CONFIRMED_GENUINE: _ClassVar[LabelType]
    LABEL_TYPE_CHALLENGE_PASSED: _ClassVar[LabelType]
    LABEL_TYPE_CHALLENGE_FAILED: _ClassVar[LabelType]
    LABEL_TYPE_REVIEW_RELEASED: _ClassVar[LabelType]
    LABEL_TYPE_REVIEW_REJECTED: _ClassVar[LabelType]
CHANNEL_UNSPECIFIED: Channel
CHANNEL_CARD_PRESENT: Channel
CHANNEL_ECOMMERCE: Channel
CHANNEL_TRANSFER: Channel
CHANNEL_ATM: Channel
LIFECYCLE_TYPE_UNSPECIFIED: LifecycleType
LIFECYCLE_TYPE_AUTHORIZATION_APPROVED: LifecycleType
LIFECYCLE_TYPE_AUTHORIZATION_DECLINED: LifecycleType
LIFECYCLE_TYPE_REVERSAL: LifecycleType
LIFECYCLE_TYPE_REFUND: LifecycleType
LIFECYCLE_TYPE_STAND_IN_ADVICE: LifecycleType
LABEL_TYPE_UNSPECIFIED: LabelType
LABEL_TYPE_CHARGEBACK: LabelType
LABEL_TYPE_CONFIRMED_FRAUD: LabelType
LABEL_TYPE_CONFIRMED_GENUINE: LabelType
LABEL_TYPE_CHALLENGE_PASSED: LabelType
LABEL_TYPE_CHALLENGE_FAILED: LabelType
LABEL_TYPE_REVIEW_RELEASED: LabelType
LABEL_TYPE_REVIEW_REJECTED: LabelType

class CardIdentity(_message.Message):
    __slots__ = ("acquirer_id", "stan", "rrn", "transmission_date", "message_type")
    ACQUIRER_ID_FIELD_NUMBER: _ClassVar[int]
    STAN_FIELD_NUMBER: _ClassVar[int]
    RRN_FIELD_NUMBER: _ClassVar[int]
    TRANSMISSION_DATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    acquirer_id: str
    stan: str
    rrn: str
    transmission_date: str
    message_type: str
    def __init__(self, acquirer_id: _Optional[str] = ..., stan: _Optional[str] = ..., rrn: _Optional[str] = ..., transmission_date: _Optional[str] = ..., message_type: _Optional[str] = ...) -> None: ...

class CreditTransferIdentity(_message.Message):
    __slots__ = ("sender_id", "message_id", "end_to_end_id", "index")
    SENDER_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    END_TO_END_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    sender_id: str
    message_id: str
    end_to_end_id: str
    index: int
    def __init__(self, sender_id: _Optional[str] = ..., message_id: _Optional[str] = ..., end_to_end_id: _Optional[str] = ..., index: _Optional[int] = ...) -> None: ...

class TransactionIdentity(_message.Message):
    __slots__ = ("uetr", "card", "credit_transfer")
    UETR_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TRANSFER_FIELD_NUMBER: _ClassVar[int]
    uetr: str
    card: CardIdentity
    credit_transfer: CreditTransferIdentity
    def __init__(self, uetr: _Optional[str] = ..., card: _Optional[_Union[CardIdentity, _Mapping]] = ..., credit_transfer: _Optional[_Union[CreditTransferIdentity, _Mapping]] = ...) -> None: ...

class Geo(_message.Message):
    __slots__ = ("country_code", "region_code")
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    REGION_CODE_FIELD_NUMBER: _ClassVar[int]
    country_code: str
    region_code: str
    def __init__(self, country_code: _Optional[str] = ..., region_code: _Optional[str] = ...) -> None: ...

class TransactionAuthorizationRequested(_message.Message):
    __slots__ = ("tenant", "identity", "channel", "event_time", "amount", "customer_id", "account_id", "instrument_token", "counterparty_account_id", "merchant_id", "terminal_id", "merchant_category_code", "device_id", "geo", "utc_offset_minutes")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTY_ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_CATEGORY_CODE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    GEO_FIELD_NUMBER: _ClassVar[int]
    UTC_OFFSET_MINUTES_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    identity: TransactionIdentity
    channel: Channel
    event_time: _timestamp_pb2.Timestamp
    amount: _money_pb2.Money
    customer_id: str
    account_id: str
    instrument_token: str
    counterparty_account_id: str
    merchant_id: str
    terminal_id: str
    merchant_category_code: str
    device_id: str
    geo: Geo
    utc_offset_minutes: int
    def __init__(self, tenant: _Optional[str] = ..., identity: _Optional[_Union[TransactionIdentity, _Mapping]] = ..., channel: _Optional[_Union[Channel, str]] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., customer_id: _Optional[str] = ..., account_id: _Optional[str] = ..., instrument_token: _Optional[str] = ..., counterparty_account_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., terminal_id: _Optional[str] = ..., merchant_category_code: _Optional[str] = ..., device_id: _Optional[str] = ..., geo: _Optional[_Union[Geo, _Mapping]] = ..., utc_offset_minutes: _Optional[int] = ...) -> None: ...

class TransactionLifecycleReported(_message.Message):
    __slots__ = ("report_id", "type", "event_time", "transaction", "amount")
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    report_id: str
    type: LifecycleType
    event_time: _timestamp_pb2.Timestamp
    transaction: TransactionAuthorizationRequested
    amount: _money_pb2.Money
    def __init__(self, report_id: _Optional[str] = ..., type: _Optional[_Union[LifecycleType, str]] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., transaction: _Optional[_Union[TransactionAuthorizationRequested, _Mapping]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class LabelReported(_message.Message):
    __slots__ = ("label_id", "type", "known_at", "transaction", "retracted", "reporter")
    LABEL_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    RETRACTED_FIELD_NUMBER: _ClassVar[int]
    REPORTER_FIELD_NUMBER: _ClassVar[int]
    label_id: str
    type: LabelType
    known_at: _timestamp_pb2.Timestamp
    transaction: TransactionAuthorizationRequested
    retracted: bool
    reporter: str
    def __init__(self, label_id: _Optional[str] = ..., type: _Optional[_Union[LabelType, str]] = ..., known_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., transaction: _Optional[_Union[TransactionAuthorizationRequested, _Mapping]] = ..., retracted: _Optional[bool] = ..., reporter: _Optional[str] = ...) -> None: ...
