"""The pacs.008 topic: what a document can't say clearly becomes a dead letter, and its neighbours go on."""

from types import SimpleNamespace

import pytest
from meshkit.clock import SystemClock
from meshkit.config import KafkaSettings
from meshkit.testing.keys import payload_sealer
from risk_scoring.adapters.lxml_pacs008 import parse_document
from risk_scoring.consumers import credit_transfers
from risk_scoring.consumers.credit_transfers import PACS008_TOPIC, CreditTransferStream
from risk_scoring.consumers.transactions import TRANSACTION_TOPIC
from risk_scoring.usecases.on_iso20022_pacs_008 import OnIso20022Pacs008

TRANSFER = """<CdtTrfTxInf><PmtId><EndToEndId>E2E-1</EndToEndId></PmtId><IntrBkSttlmAmt Ccy="CNY">12.50</IntrBkSttlmAmt>
<DbtrAcct><Id><Othr><Id>acct-1</Id></Othr></Id></DbtrAcct><CdtrAcct><Id><Othr><Id>acct-2</Id></Othr></Id></CdtrAcct></CdtTrfTxInf>"""
DOCUMENT = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"><FIToFICstmrCdtTrf><GrpHdr><MsgId>M-1</MsgId>
<CreDtTm>2026-11-22T24:00:00</CreDtTm><NbOfTxs>{count}</NbOfTxs><InstgAgt><FinInstnId><BICFI>ICBKCNBJ</BICFI></FinInstnId></InstgAgt>
</GrpHdr>{transfers}</FIToFICstmrCdtTrf></Document>"""


def one(*transfers: str) -> str:
    return DOCUMENT.format(count=f"{len(transfers):02d}", transfers="".join(transfers))


@pytest.fixture
async def stream(monkeypatch: pytest.MonkeyPatch) -> CreditTransferStream:
    async def four() -> list[int]:
        return [0, 1, 2, 3]

    monkeypatch.setattr(credit_transfers, "TopicReader", lambda *_: SimpleNamespace(partitions=four))
    made = CreditTransferStream(KafkaSettings(), parse_document, OnIso20022Pacs008(SystemClock()), payload_sealer())
    await made.assigned(0, 1)
    return made


def record(offset: int, document: str, *headers: tuple[str, bytes]) -> SimpleNamespace:
    named = headers or (("ce_tenant", b"bank-a"),)
    return SimpleNamespace(topic=PACS008_TOPIC, partition=0, offset=offset, value=document.encode(), headers=named)


async def test_an_envelope_with_two_documents_is_a_dead_letter_and_its_neighbours_go_on(stream: CreditTransferStream) -> None:
    two = f'<Bundle xmlns="urn:x">{one(TRANSFER)}{one(TRANSFER)}</Bundle>'
    before, letter, after = await stream.handle(0, [record(0, one(TRANSFER)), record(1, two), record(2, one(TRANSFER))])
    assert before.topic == after.topic == TRANSACTION_TOPIC
    facts = dict(letter.headers)
    assert (letter.topic, facts["reason"], facts["source_offset"]) == (f"{PACS008_TOPIC}.dead-letter", b"MALFORMED_DOCUMENT", b"1")
    assert b"more than one Document" in facts["detail"]


async def test_a_transfer_with_two_amounts_is_a_dead_letter_alone(stream: CreditTransferStream) -> None:
    twice = TRANSFER.replace("<IntrBkSttlmAmt", '<IntrBkSttlmAmt Ccy="CNY">99.00</IntrBkSttlmAmt><IntrBkSttlmAmt')
    good, letter = await stream.handle(0, [record(0, one(TRANSFER, twice))])
    assert good.topic == TRANSACTION_TOPIC
    facts = dict(letter.headers)
    assert (facts["reason"], b"IntrBkSttlmAmt" in facts["detail"], b"99" in facts["detail"]) == (b"INVALID_TRANSACTION", True, False)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (("ce_type", b"x"), b"TENANT_MISSING"),
        (("ce_tenant", b""), b"TENANT_MISSING"),
        (("ce_tenant", None), b"TENANT_MISSING"),
        (("ce_tenant", "甲银行".encode()), b"TENANT_INVALID"),
        (("ce_tenant", b"bank-a\n"), b"TENANT_INVALID"),
        (("ce_tenant", b"\xff\xfe"), b"TENANT_INVALID"),
    ],
)
async def test_a_record_of_no_tenant_is_a_dead_letter(stream: CreditTransferStream, header: tuple[str, bytes], reason: bytes) -> None:
    letter, after = await stream.handle(0, [record(0, one(TRANSFER), header), record(1, one(TRANSFER))])
    assert (letter.topic, dict(letter.headers)["reason"]) == (f"{PACS008_TOPIC}.dead-letter", reason)
    assert after.topic == TRANSACTION_TOPIC


@pytest.mark.parametrize(("second", "topic"), [(b"bank-a", TRANSACTION_TOPIC), (b"bank-b", f"{PACS008_TOPIC}.dead-letter")])
async def test_a_record_names_one_tenant(stream: CreditTransferStream, second: bytes, topic: str) -> None:
    (message,) = await stream.handle(0, [record(0, one(TRANSFER), ("ce_tenant", b"bank-a"), ("ce_tenant", second))])
    assert message.topic == topic


async def test_a_document_with_many_wrong_transfers_is_one_dead_letter(stream: CreditTransferStream) -> None:
    """One for each would hold the whole document each: 2,000 times half a megabyte."""
    wrong = TRANSFER.replace("12.50", "0.00")
    good, letter = await stream.handle(0, [record(0, one(*[wrong] * 100, TRANSFER, wrong))])
    assert good.topic == TRANSACTION_TOPIC
    assert dict(letter.headers)["detail"].startswith(b"transfer 0 amount.amount_minor: must be")


async def test_a_transfer_of_the_future_is_a_dead_letter(stream: CreditTransferStream) -> None:
    later = TRANSFER.replace("<IntrBkSttlmAmt", "<AccptncDtTm>2100-01-01T00:00:00</AccptncDtTm><IntrBkSttlmAmt")
    good, letter = await stream.handle(0, [record(0, one(TRANSFER, later))])
    assert good.topic == TRANSACTION_TOPIC
    assert dict(letter.headers)["reason"] == b"IN_THE_FUTURE"
