from __future__ import annotations

import uuid

import numpy as np
import pytest
from finmesh.risk.v1 import transaction_pb2 as pb
from simbank.history import History
from simbank.labels import CHARGEBACK
from simbank.lifecycle import REFUND
from simbank.regions import REGIONS
from simbank.schema import ATM, CARD_PRESENT, ECOMMERCE, TRANSFER
from simbank.tokens import Tokens, mix64, uuid4_text
from simbank.translate import Translator


@pytest.fixture(scope="module")
def translator(history: History) -> Translator:
    return Translator(history.population, run=1)


def _first(history: History, channel: int) -> int:
    return int(np.flatnonzero(history.transactions.channel == channel)[0])


def test_a_card_payment_carries_its_switch_identity_and_no_uetr(history: History, translator: Translator) -> None:
    rows, row = history.transactions, _first(history, CARD_PRESENT)
    message = translator.request(rows, row)
    card = message.identity.card
    assert message.identity.WhichOneof("identity") == "card"
    assert (len(card.acquirer_id), len(card.stan), len(card.rrn), card.message_type) == (8, 6, 12, "0100")
    assert card.transmission_date == message.event_time.ToDatetime().strftime("%Y%m%d")
    assert message.channel == pb.CHANNEL_CARD_PRESENT
    assert len(message.terminal_id) == 8
    assert len(message.merchant_id) == 15
    assert message.counterparty_account_id == message.device_id == ""
    assert message.instrument_token.startswith("tok-")
    assert message.amount.amount_minor == rows.amount_minor[row]
    assert message.event_time.ToMicroseconds() == rows.event_time_us[row]


def test_a_transfer_carries_a_uetr_and_the_receiving_account(history: History, translator: Translator) -> None:
    message = translator.request(history.transactions, _first(history, TRANSFER))
    assert uuid.UUID(message.identity.uetr).version == 4
    assert str(uuid.UUID(message.identity.uetr)) == message.identity.uetr
    assert message.counterparty_account_id.startswith("acc-")
    assert message.counterparty_account_id != message.account_id
    assert message.merchant_id == message.terminal_id == message.merchant_category_code == ""
    assert message.device_id.startswith("dev-")


def test_internet_shops_have_no_terminal_and_cash_machines_have_one(history: History, translator: Translator) -> None:
    online = translator.request(history.transactions, _first(history, ECOMMERCE))
    cash = translator.request(history.transactions, _first(history, ATM))
    assert online.terminal_id == ""
    assert online.device_id
    assert cash.terminal_id
    assert cash.merchant_category_code == "6011"


def test_place_and_offset_are_those_of_the_payment(history: History, translator: Translator) -> None:
    code = next(number for number, region in enumerate(REGIONS) if region.code == "CN-GD-SZ")
    row = int(np.flatnonzero(history.transactions.geo == code)[0])
    message = translator.request(history.transactions, row)
    assert (message.geo.country_code, message.geo.region_code, message.utc_offset_minutes) == ("CN", "GD-SZ", 480)


def test_identities_are_unique_repeatable_and_salted_by_run(history: History, translator: Translator) -> None:
    rows = range(2_000)
    identities = {translator.request(history.transactions, row).identity.SerializeToString() for row in rows}
    assert len(identities) == 2_000
    again = Translator(history.population, run=1).request(history.transactions, 5)
    other = Translator(history.population, run=2).request(history.transactions, 5)
    assert again == translator.request(history.transactions, 5)
    assert other.identity != again.identity
    assert other.customer_id == again.customer_id


def test_labels_repeat_the_request_and_say_when_they_were_known(history: History, translator: Translator) -> None:
    labels, rows = history.labels, history.transactions
    chargeback = int(np.flatnonzero((labels.source == CHARGEBACK) & (labels.retracted == 0))[0])
    message = translator.label(rows, labels, chargeback)
    assert message.type == pb.LABEL_TYPE_CHARGEBACK
    assert message.transaction == translator.request(rows, int(labels.row[chargeback]))
    assert message.known_at.ToMicroseconds() > message.transaction.event_time.ToMicroseconds()
    assert not message.retracted
    withdrawn = translator.label(rows, labels, int(np.flatnonzero(labels.retracted)[0]))
    assert withdrawn.retracted
    assert withdrawn.type == pb.LABEL_TYPE_CHARGEBACK


def test_every_label_and_report_translates_under_its_own_id(history: History, translator: Translator) -> None:
    labels = [translator.label(history.transactions, history.labels, index) for index in range(len(history.labels))]
    reports = [translator.lifecycle(history.transactions, history.reports, index) for index in range(len(history.reports))]
    ids = {label.label_id for label in labels} | {report.report_id for report in reports}
    assert len(ids) == len(labels) + len(reports)
    assert {label.type for label in labels} == set(pb.LabelType.values()) - {pb.LABEL_TYPE_UNSPECIFIED, pb.LABEL_TYPE_CONFIRMED_GENUINE}


def test_refunds_carry_their_amount_and_declines_none(history: History, translator: Translator) -> None:
    for index in range(len(history.reports)):
        message = translator.lifecycle(history.transactions, history.reports, index)
        refunded = int(history.reports.kind[index]) == REFUND
        if message.type == pb.LIFECYCLE_TYPE_AUTHORIZATION_DECLINED:
            assert not message.HasField("amount")
        if refunded:
            assert 0 < message.amount.amount_minor <= message.transaction.amount.amount_minor


def test_tokens_differ_between_banks_and_entities(history: History) -> None:
    tokens = Tokens(history.population)
    assert len(set(tokens.customer)) == len(history.population.customers)
    assert not {token[4:] for token in tokens.customer} & {token[4:] for token in tokens.card}


def test_mixing_is_the_published_function_and_uuids_are_version_four() -> None:
    assert mix64(0) == 0xE220A8397B1DCDAF  # first output of splitmix64 seeded with 0
    assert uuid.UUID(uuid4_text(mix64(1), mix64(2))).version == 4
    assert uuid.UUID(uuid4_text(mix64(1), mix64(2))).variant == uuid.RFC_4122
