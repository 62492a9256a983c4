"""pacs.008 documents: what is read, what never is, and what hostile documents get."""

import pytest
from meshkit.errors import InvalidArgument
from risk_scoring.adapters.lxml_pacs008 import MAX_BYTES, MAX_TRANSFERS, parse_document
from risk_scoring.domain.identity import CreditTransferIdentity, Uetr

UETR = "0f8fad5b-d9cb-469f-a165-70867728950e"
TRANSFER = f"""<CdtTrfTxInf>
  <PmtId><InstrId>I-1</InstrId><EndToEndId>E2E-1</EndToEndId><UETR>{UETR}</UETR></PmtId>
  <IntrBkSttlmAmt Ccy="CNY">1234.50</IntrBkSttlmAmt>
  <AccptncDtTm>2026-11-22T10:00:00+08:00</AccptncDtTm>
  <Dbtr><Nm>张三</Nm><PstlAdr><Ctry>CN</Ctry><AdrLine>北京市朝阳区</AdrLine></PstlAdr>
    <Id><PrvtId>
      <Othr><Id>110101199001011234</Id><SchmeNm><Cd>NIDN</Cd></SchmeNm></Othr>
      <Othr><Id>C-778</Id><SchmeNm><Cd>CUST</Cd></SchmeNm></Othr>
    </PrvtId></Id></Dbtr>
  <DbtrAcct><Id><Othr><Id>acct-1</Id></Othr></Id></DbtrAcct>
  <DbtrAgt><FinInstnId><BICFI>ABOCCNBJ</BICFI></FinInstnId></DbtrAgt>
  <Cdtr><Nm>李四</Nm></Cdtr>
  <CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct>
  <RmtInf><Ustrd>房租 十一月</Ustrd></RmtInf>
</CdtTrfTxInf>"""
PLAIN = TRANSFER.replace(f"<UETR>{UETR}</UETR>", "")
AGENT = "<InstgAgt><FinInstnId><BICFI>ICBKCNBJ</BICFI></FinInstnId></InstgAgt>"


def document(*transfers, version="08", header=AGENT, count=None, head='<?xml version="1.0" encoding="UTF-8"?>'):
    return f"""{head}
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.{version}"><FIToFICstmrCdtTrf>
<GrpHdr><MsgId>MSG-1</MsgId><CreDtTm>2026-11-22T02:00:01</CreDtTm><NbOfTxs>{count or len(transfers)}</NbOfTxs>{header}</GrpHdr>
{"".join(transfers)}</FIToFICstmrCdtTrf></Document>""".encode()


def test_a_transfer_becomes_a_transaction():
    (transfer,) = parse_document("bank-a", document(TRANSFER))
    t = transfer.transaction()
    assert t.identity == Uetr(UETR)
    assert (t.tenant, t.amount_minor, t.currency) == ("bank-a", 123_450, "CNY")
    assert (t.customer_id, t.account_id, t.counterparty_account_id) == ("C-778", "acct-1", "DE89370400440532013000")
    assert (t.country_code, t.utc_offset_minutes) == ("CN", 480)
    assert t.event_time_us == 1_795_312_800_000_000  # 2026-11-22T02:00:00Z


def test_names_addresses_and_identity_documents_are_left_behind():
    kept = repr(parse_document("bank-a", document(TRANSFER)))
    for personal in ("张三", "李四", "朝阳", "110101199001011234", "房租"):
        assert personal not in kept
    without_number = TRANSFER.replace("<Cd>CUST</Cd>", "<Cd>CCPT</Cd>")
    assert parse_document("bank-a", document(without_number))[0].transaction().customer_id == "acct-1"


def test_without_uetr_sender_message_end_to_end_and_place_identify():
    first, second = parse_document("bank-a", document(PLAIN, PLAIN))
    assert first.transaction().identity == CreditTransferIdentity("ICBKCNBJ", "MSG-1", "E2E-1", 0)
    assert second.transaction().identity == CreditTransferIdentity("ICBKCNBJ", "MSG-1", "E2E-1", 1)


@pytest.mark.parametrize(
    ("agent", "sender"),
    [
        ("<InstgAgt><FinInstnId><BIC>BKCHCNBJ</BIC></FinInstnId></InstgAgt>", "BKCHCNBJ"),
        ("<InstgAgt><FinInstnId><ClrSysMmbId><MmbId>102100099996</MmbId></ClrSysMmbId></FinInstnId></InstgAgt>", "102100099996"),
        ("", "ABOCCNBJ"),
    ],
)
def test_the_sender_is_the_instructing_agent_or_else_the_debtors(agent, sender):
    (transfer,) = parse_document("bank-a", document(PLAIN, header=agent))
    assert transfer.transaction().identity.sender_id == sender


def test_decomposed_text_becomes_the_same_transaction():
    """A document may come from a system that writes é in two code points; it is the same transfer."""
    composed, decomposed = (document(PLAIN.replace("E2E-1", text)) for text in ("caf\u00e9", "cafe\u0301"))
    assert parse_document("b", composed)[0].transaction() == parse_document("b", decomposed)[0].transaction()


@pytest.mark.parametrize("version", [f"{number:02d}" for number in range(2, 14)])
def test_versions(version):
    assert len(parse_document("bank-a", document(TRANSFER, version=version))) == 1


def test_an_envelope_around_it_is_fine():
    inner = document(TRANSFER, head="").decode()
    wrapped = f'<Bundle xmlns="urn:x"><AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02"/>{inner}</Bundle>'
    assert parse_document("bank-a", wrapped.encode())[0].uetr == UETR


def test_times_without_offset_are_the_banks_local_time():
    (transfer,) = parse_document("bank-a", document(TRANSFER.replace("10:00:00+08:00", "10:00:00")))
    assert (transfer.transaction().event_time_us, transfer.transaction().utc_offset_minutes) == (1_795_312_800_000_000, 480)
    (transfer,) = parse_document("bank-a", document(TRANSFER.replace("10:00:00+08:00", "02:00:00Z")), 60)
    assert (transfer.transaction().event_time_us, transfer.transaction().utc_offset_minutes) == (1_795_312_800_000_000, 60)
    (transfer,) = parse_document("bank-a", document(TRANSFER.replace("<AccptncDtTm>2026-11-22T10:00:00+08:00</AccptncDtTm>", "")))
    assert transfer.transaction().event_time_us == 1_795_312_800_000_000 - 8 * 3_600_000_000 + 1_000_000


@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("JPY", "100", 100), ("KWD", "1.234", 1234), ("CNY", "0.01", 1), ("CNY", "5.500", 550)]
)
def test_amounts_follow_the_currencys_exponent(currency, amount, minor):
    text = TRANSFER.replace('"CNY">1234.50', f'"{currency}">{amount}')
    assert parse_document("bank-a", document(text))[0].transaction().amount_minor == minor


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("1234.50", "1234.505", "amount.amount_minor"),
        ("1234.50", "-1", "amount.amount_minor"),
        ("1234.50", "1e3", "amount.amount_minor"),
        ("1234.50", "１２３４", "amount.amount_minor"),
        ("1234.50", "9" * 25, "amount.amount_minor"),
        ("1234.50", "0", "amount.amount_minor"),
        ('"CNY"', '"RMB"', "amount.currency_code"),
        (UETR, UETR.upper(), "identity.uetr"),
        ("acct-1", "", "account_id"),
        ("acct-1", "acct 1", "account_id"),
        ("DE89370400440532013000", "", "counterparty_account_id"),
        ("<Ctry>CN</Ctry>", "<Ctry>China</Ctry>", "geo.country_code"),
        ("2026-11-22T10:00:00+08:00", "2026-11-22", "event_time"),
        ("2026-11-22T10:00:00+08:00", "昨天", "event_time"),
    ],
)
def test_a_wrong_transfer_fails_alone(old, new, field):
    good, bad = parse_document("bank-a", document(PLAIN, TRANSFER.replace(old, new)))
    assert good.transaction().amount_minor == 123_450
    with pytest.raises(InvalidArgument) as caught:
        bad.transaction()
    assert caught.value.reason == "INVALID_TRANSACTION"
    assert field in [violation.field for violation in caught.value.violations]


def deep():
    return ("<?xml version='1.0'?>" + "<a>" * 60 + "</a>" * 60).encode()


BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Document>&b;</Document>"""
EXTERNAL = """<?xml version="1.0"?><!DOCTYPE d SYSTEM "file:///etc/passwd"><Document/>"""
MALFORMED = {
    "empty": (b"", "well-formed"),
    "not xml": (b"{}", "well-formed"),
    "cut": (document(TRANSFER)[:-20], "well-formed"),
    "entities": (BOMB.encode(), "document types"),
    "external": (EXTERNAL.encode(), "document types"),
    "utf-16 entities": (BOMB.encode("utf-16"), "UTF-8"),
    "other encoding": (document(TRANSFER, head='<?xml version="1.0" encoding="GB18030"?>'), "UTF-8"),
    "gbk bytes": (document(TRANSFER, head="").decode().encode("gbk"), "UTF-8"),
    "nul": (document(TRANSFER) + b"\0", "UTF-8"),
    "too large": (b" " * (MAX_BYTES + 1), "larger"),
    "too deep": (deep(), "deeper"),
    "other version": (document(TRANSFER, version="14"), "pacs.008.001"),
    "other message": (document(TRANSFER).replace(b"pacs.008", b"pain.001"), "pacs.008.001"),
    "no header": (document(TRANSFER).replace(b"GrpHdr", b"Header"), "group header"),
    "no transfer": (document(count=1), "transfers"),
    "count": (document(TRANSFER, count=2), "number of transfers"),
    "too many": (document(*["<CdtTrfTxInf/>"] * (MAX_TRANSFERS + 1)), "transfers"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_document_fails_as_a_whole(case):
    payload, said = MALFORMED[case]
    with pytest.raises(InvalidArgument, match=said) as caught:
        parse_document("bank-a", payload)
    assert caught.value.reason == "MALFORMED_DOCUMENT"
    assert "张" not in caught.value.message and caught.value.__cause__ is None


def test_comments_and_instructions_do_not_split_values():
    text = TRANSFER.replace("acct-1", "acct<!-- x -->-1")
    assert parse_document("bank-a", document(text))[0].debtor_account == "acct-1"
