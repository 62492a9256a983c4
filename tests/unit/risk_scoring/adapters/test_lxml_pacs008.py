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


def test_a_document_around_it_and_supplementary_data_inside_are_fine():
    extra = '<SplmtryData><Envlp><Document xmlns="urn:iso:std:iso:20022:tech:xsd:supl.017.001.01"><A/></Document></Envlp></SplmtryData>'
    inner = bare(TRANSFER, extra).replace("<NbOfTxs>2<", "<NbOfTxs>1<")
    assert len(parse_document("bank-a", f'<Document xmlns="urn:bank">{inner}</Document>'.encode())) == 1


def test_one_customer_number_given_twice_is_one():
    (transfer,) = parse_document("bank-a", document(TRANSFER.replace("110101199001011234", "C-778").replace("NIDN", "CUST")))
    assert transfer.transaction().customer_id == "C-778"


def test_times_without_offset_are_the_banks_local_time():
    (transfer,) = parse_document("bank-a", document(TRANSFER.replace("10:00:00+08:00", "10:00:00")))
    assert (transfer.transaction().event_time_us, transfer.transaction().utc_offset_minutes) == (1_795_312_800_000_000, 480)
    (transfer,) = parse_document("bank-a", document(TRANSFER.replace("10:00:00+08:00", "02:00:00Z")), 60)
    assert (transfer.transaction().event_time_us, transfer.transaction().utc_offset_minutes) == (1_795_312_800_000_000, 60)
    (transfer,) = parse_document("bank-a", document(TRANSFER.replace("<AccptncDtTm>2026-11-22T10:00:00+08:00</AccptncDtTm>", "")))
    assert transfer.transaction().event_time_us == 1_795_312_800_000_000 - 8 * 3_600_000_000 + 1_000_000


MIDNIGHT_US = 1_795_363_200_000_000  # 2026-11-22T16:00:00Z, 2026-11-23 in China


@pytest.mark.parametrize(
    ("text", "time_us", "offset_minutes"),
    [
        ("2026-11-22T24:00:00+08:00", MIDNIGHT_US, 480),
        ("2026-11-22T24:00:00.000+08:00", MIDNIGHT_US, 480),
        ("2026-11-22T24:00:00", MIDNIGHT_US, 480),
        ("2026-11-22T24:00:00Z", MIDNIGHT_US + 8 * 3_600_000_000, 480),
        ("2026-11-23T00:00:00+08:00", MIDNIGHT_US, 480),
        ("2026-11-22T24:00:00-14:00", MIDNIGHT_US + 22 * 3_600_000_000, -840),
        ("2026-11-23T06:00:00+14:00", MIDNIGHT_US, 840),
        ("2028-02-28T24:00:00Z", 1_835_395_200_000_000, 480),  # 2028-02-29
        ("2026-12-31T24:00:00Z", 1_798_761_600_000_000, 480),  # 2027-01-01
        ("\n\t 2026-11-23T00:00:00+08:00 \r\n", MIDNIGHT_US, 480),
    ],
)
def test_times_are_those_of_xml_schema(text, time_us, offset_minutes):
    (transfer,) = parse_document("bank-a", document(TRANSFER.replace("2026-11-22T10:00:00+08:00", text)))
    assert (transfer.transaction().event_time_us, transfer.transaction().utc_offset_minutes) == (time_us, offset_minutes)


@pytest.mark.parametrize("count", ["1", "01", "000000000000001", " 1\n"])
def test_the_number_of_transfers_is_a_number(count):
    assert len(parse_document("bank-a", document(TRANSFER, count=count))) == 1


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [
        ("JPY", "100", 100),
        ("KWD", "1.234", 1234),
        ("CNY", "0.01", 1),
        ("CNY", "5.500", 550),
        ("CNY", "+5.50", 550),
        ("CNY", "05.50", 550),
        ("CNY", ".5", 50),
        ("CNY", "5.", 500),
        ("CNY", "0" * 30 + "5.5", 550),
    ],
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
        ("10:00:00+08:00", "24:00:01+08:00", "event_time"),
        ("10:00:00+08:00", "24:00:00.1+08:00", "event_time"),
        ("10:00:00+08:00", "23:59:60Z", "event_time"),
        ("10:00:00+08:00", "25:00:00Z", "event_time"),
        ("2026-11-22T10:00:00+08:00", "2026-02-30T24:00:00Z", "event_time"),
        ("2026-11-22T10:00:00+08:00", "9999-12-31T24:00:00Z", "event_time"),
        ("2026-11-22T10:00:00+08:00", "\u00a02026-11-22T10:00:00Z", "event_time"),
        ("10:00:00+08:00", "10:00:00+14:01", "utc_offset_minutes"),
        ("1234.50", "+-5", "amount.amount_minor"),
        ("1234.50", "++5", "amount.amount_minor"),
        ("1234.50", "+", "amount.amount_minor"),
        ("1234.50", "", "amount.amount_minor"),
        ("1234.50", ".", "amount.amount_minor"),
        ("</PmtId>", "</PmtId><PmtId><UETR>9f8fad5b-d9cb-469f-a165-70867728950e</UETR></PmtId>", "PmtId/UETR"),
        ("</UETR>", "</UETR><UETR>9f8fad5b-d9cb-469f-a165-70867728950e</UETR>", "PmtId/UETR"),
        ("<IntrBkSttlmAmt", '<IntrBkSttlmAmt Ccy="CNY">1</IntrBkSttlmAmt><IntrBkSttlmAmt', "IntrBkSttlmAmt"),
        ("<AccptncDtTm>", "<AccptncDtTm>2026-11-21T10:00:00Z</AccptncDtTm><AccptncDtTm>", "AccptncDtTm"),
        ("<Dbtr>", "<Dbtr><Nm>王五</Nm></Dbtr><Dbtr>", "Dbtr/CtryOfRes"),
        ("<DbtrAcct>", "<DbtrAcct><Id><Othr><Id>acct-2</Id></Othr></Id></DbtrAcct><DbtrAcct>", "DbtrAcct/Id/IBAN"),
        ("<IBAN>", "<Othr><Id>acct-3</Id></Othr><IBAN>", "CdtrAcct/Id/IBAN"),
        ("<Cd>NIDN</Cd>", "<Cd>CUST</Cd>", "Dbtr/Id"),
        ("acct-1", "acct<b>-9</b>-1", "DbtrAcct/Id/Othr/Id"),
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


def bare(*transfers):
    return document(*transfers, head="").decode().strip()


def enveloped(first, second, replace=("", "")):
    """Two documents in one envelope."""
    other = bare(second).replace(*replace) if replace[0] else bare(second)
    return f'<Bundle xmlns="urn:x">{bare(first)}{other}</Bundle>'.encode()


MESSAGE = b"<FIToFICstmrCdtTrf><GrpHdr><MsgId>MSG-2</MsgId></GrpHdr></FIToFICstmrCdtTrf>"
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
    "count with a sign": (document(TRANSFER, count="+1"), "number of transfers"),
    "count in full width": (document(TRANSFER, count="１"), "number of transfers"),
    "count with many digits": (document(TRANSFER, count="1" * 6000), "number of transfers"),
    "two documents": (enveloped(TRANSFER, PLAIN), "more than one Document"),
    "the same twice": (enveloped(TRANSFER, TRANSFER), "more than one Document"),
    "another version": (enveloped(TRANSFER, PLAIN, replace=("001.08", "001.09")), "more than one Document"),
    "a version that is not read": (enveloped(TRANSFER, PLAIN, replace=("001.08", "001.01")), "more than one Document"),
    "another message": (enveloped(TRANSFER, PLAIN, replace=("pacs.008", "pain.001")), "more than one Document"),
    "no namespace": (enveloped(TRANSFER, PLAIN, replace=(' xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"', "")), "more than one"),
    "one in the other": (document(TRANSFER, f"<SplmtryData><Envlp>{bare(PLAIN)}</Envlp></SplmtryData>", count=1), "more than one Document"),
    "two messages": (document(TRANSFER).replace(b"</Document>", MESSAGE + b"</Document>"), "FIToFICstmrCdtTrf"),
    "two headers": (document(TRANSFER).replace(b"</GrpHdr>", b"</GrpHdr><GrpHdr><MsgId>MSG-2</MsgId></GrpHdr>"), "GrpHdr"),
    "two message ids": (document(TRANSFER).replace(b"<MsgId>", b"<MsgId>MSG-2</MsgId><MsgId>"), "MsgId"),
    "two counts": (document(TRANSFER).replace(b"<NbOfTxs>", b"<NbOfTxs>1</NbOfTxs><NbOfTxs>"), "NbOfTxs"),
    "two creation times": (document(TRANSFER).replace(b"<CreDtTm>", b"<CreDtTm>2026-11-21T00:00:00</CreDtTm><CreDtTm>"), "CreDtTm"),
    "two senders": (document(TRANSFER, header=AGENT + AGENT), "InstgAgt"),
    "a transfer of another namespace": (
        document(TRANSFER, TRANSFER.replace("<CdtTrfTxInf>", '<CdtTrfTxInf xmlns="">'), count=1),
        "where none belongs",
    ),
    "a transfer beside the message": (document(TRANSFER).replace(b"</Document>", PLAIN.encode() + b"</Document>"), "where none belongs"),
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
