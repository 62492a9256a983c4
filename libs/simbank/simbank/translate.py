"""Columns to the messages of finmesh.risk.v1, the only module here that speaks protobuf.

Surprising: `run` salts the identities (UETR, RRN), so that the same simulated day sent twice is two days to the bank, and a repeated
message within a run is the same transaction. A label or a report repeats the request as it was sent, so translate it from the same
(replayed) rows.
"""

from datetime import UTC, datetime

from finmesh.common.v1 import money_pb2
from finmesh.risk.v1 import transaction_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from simbank.labels import CHALLENGE_RESULT, CHARGEBACK, CONTACT_CENTRE, REVIEW_DISPOSITION, Labels
from simbank.lifecycle import ADVICE, DECLINED, REFUND, REVERSAL, Reports
from simbank.population import TENANTS, Population
from simbank.regions import CURRENCIES, REGIONS
from simbank.schema import ATM, CARD_PRESENT, DAY_US, ECOMMERCE, TRANSFER, Transactions
from simbank.tokens import Tokens, mix64, uuid4_text

_CHANNEL = {
    CARD_PRESENT: pb.CHANNEL_CARD_PRESENT,
    ECOMMERCE: pb.CHANNEL_ECOMMERCE,
    TRANSFER: pb.CHANNEL_TRANSFER,
    ATM: pb.CHANNEL_ATM,
}
_LIFECYCLE = {
    DECLINED: pb.LIFECYCLE_TYPE_AUTHORIZATION_DECLINED,
    REVERSAL: pb.LIFECYCLE_TYPE_REVERSAL,
    REFUND: pb.LIFECYCLE_TYPE_REFUND,
    ADVICE: pb.LIFECYCLE_TYPE_STAND_IN_ADVICE,
}
_LABEL = {
    (CHARGEBACK, 1): pb.LABEL_TYPE_CHARGEBACK,
    (CHARGEBACK, 0): pb.LABEL_TYPE_CHARGEBACK,  # a retraction names the type it withdraws
    (CONTACT_CENTRE, 1): pb.LABEL_TYPE_CONFIRMED_FRAUD,
    (CHALLENGE_RESULT, 1): pb.LABEL_TYPE_CHALLENGE_FAILED,
    (CHALLENGE_RESULT, 0): pb.LABEL_TYPE_CHALLENGE_PASSED,
    (REVIEW_DISPOSITION, 1): pb.LABEL_TYPE_REVIEW_REJECTED,
    (REVIEW_DISPOSITION, 0): pb.LABEL_TYPE_REVIEW_RELEASED,
}
_REPORTER = {
    CHARGEBACK: "card-scheme",
    CONTACT_CENTRE: "contact-centre",
    CHALLENGE_RESULT: "challenge-service",
    REVIEW_DISPOSITION: "case-management",
}
_GEO = [pb.Geo(country_code=region.country, region_code=region.code.partition("-")[2]) for region in REGIONS]
_TENANTS = tuple(TENANTS)


class Translator:
    """Messages of one population in one run. `run` is any number; the wall clock's microseconds will do."""

    def __init__(self, population: Population, *, run: int) -> None:
        self.tokens = Tokens(population)
        self._merchants = len(population.merchants)
        self._salt = mix64(run ^ mix64(population.seed))

    def request(self, rows: Transactions, row: int) -> pb.TransactionAuthorizationRequested:
        """The authorisation request of one row."""
        tokens = self.tokens
        channel, event_us = int(rows.channel[row]), int(rows.event_time_us[row])
        customer, account = int(rows.customer_id[row]), int(rows.account[row])
        geo, device = int(rows.geo[row]), int(rows.device[row])
        message = pb.TransactionAuthorizationRequested(
            tenant=_TENANTS[rows.tenant[row]],
            identity=self._identity(rows, row),
            channel=_CHANNEL[channel],
            event_time=_timestamp(event_us),
            amount=money_pb2.Money(currency_code=CURRENCIES[rows.currency[row]], amount_minor=int(rows.amount_minor[row])),
            customer_id=tokens.customer[customer],
            account_id=tokens.account[account],
            instrument_token=tokens.account[account] if channel == TRANSFER else tokens.card[account],
            device_id=tokens.device[device] if device >= 0 else "",
            geo=_GEO[geo],
            utc_offset_minutes=REGIONS[geo].utc_offset_minutes,
        )
        if channel == TRANSFER:
            message.counterparty_account_id = tokens.account[int(rows.counterparty_id[row]) - self._merchants]
        else:
            message.merchant_id = tokens.merchant[rows.merchant[row]]
            message.merchant_category_code = f"{int(rows.mcc[row]):04d}"
            if channel != ECOMMERCE:
                message.terminal_id = tokens.terminal[rows.terminal[row]]
        return message

    def label(self, rows: Transactions, labels: Labels, index: int) -> pb.LabelReported:
        """One label; `labels.row` must index `rows`."""
        source = int(labels.source[index])
        return pb.LabelReported(
            label_id=uuid4_text(mix64(self._salt ^ 0x4C), mix64(int(labels.label_id[index]))),
            type=_LABEL[source, int(labels.fraud[index])],
            known_at=_timestamp(int(labels.known_at_us[index])),
            transaction=self.request(rows, int(labels.row[index])),
            retracted=bool(labels.retracted[index]),
            reporter=_REPORTER[source],
        )

    def lifecycle(self, rows: Transactions, reports: Reports, index: int) -> pb.TransactionLifecycleReported:
        """One lifecycle report; `reports.row` must index `rows`."""
        row, kind = int(reports.row[index]), int(reports.kind[index])
        message = pb.TransactionLifecycleReported(
            report_id=uuid4_text(mix64(self._salt ^ 0x52), mix64(int(reports.transaction_id[index]))),
            type=_LIFECYCLE[kind],
            event_time=_timestamp(int(reports.event_time_us[index])),
            transaction=self.request(rows, row),
        )
        if kind in {REVERSAL, REFUND}:
            currency = CURRENCIES[rows.currency[row]]
            message.amount.CopyFrom(money_pb2.Money(currency_code=currency, amount_minor=int(reports.amount_minor[index])))
        return message

    def _identity(self, rows: Transactions, row: int) -> pb.TransactionIdentity:
        number = int(rows.transaction_id[row])
        scattered = mix64(self._salt ^ number)
        if rows.channel[row] == TRANSFER:
            return pb.TransactionIdentity(uetr=uuid4_text(scattered, mix64(scattered)))
        card = pb.CardIdentity(
            acquirer_id=self.tokens.acquirer[rows.merchant[row]],
            stan=f"{number % 1_000_000:06d}",
            rrn=f"{scattered % 10**12:012d}",
            transmission_date=_date(int(rows.event_time_us[row]) // DAY_US),
            message_type="0100",
        )
        return pb.TransactionIdentity(card=card)


def _timestamp(time_us: int) -> Timestamp:
    return Timestamp(seconds=time_us // 1_000_000, nanos=time_us % 1_000_000 * 1_000)


def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(day * 86_400, UTC):%Y%m%d}"
