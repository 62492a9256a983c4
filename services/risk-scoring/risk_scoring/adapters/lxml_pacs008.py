"""pacs.008 XML by lxml: from untrusted bytes to the plain records of `domain/pacs008.py`.

The document comes from outside. It must be UTF-8 without a document type (so there are no entities to expand), within limits of size and
depth; nothing is fetched. Elements are matched by local name inside the Document of versions .02 to .13, wherever it stands (a business
message envelope around it is fine), because the names used did not change between those versions.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from risk_scoring.domain.pacs008 import CreditTransfer, GroupHeader, malformed

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_TRANSFERS = 2000
CHINA_OFFSET_MINUTES = 480
_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:pacs\.008\.001\.(?:0[2-9]|1[0-3])")
_ENCODING = re.compile(rb"""\A(?:\xef\xbb\xbf)?<\?xml[^>]*\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


def parse_document(tenant: str, document: bytes, utc_offset_minutes: int = CHINA_OFFSET_MINUTES) -> list[CreditTransfer]:
    """Read the transfers of a document; raises InvalidArgument (MALFORMED_DOCUMENT), whose text holds nothing of the document.

    ``utc_offset_minutes``: local time of the bank, for times that state no offset (ISODateTime may leave it out).
    """
    root = _root(document)
    body = next((e for e in root.iter("{*}Document") if _NAMESPACE.fullmatch(etree.QName(e).namespace or "")), None)
    if body is None:
        raise malformed("it holds no Document of pacs.008.001.02 to .13")
    namespace = f"{{{etree.QName(body).namespace}}}"
    message = body.find(f"{namespace}FIToFICstmrCdtTrf")
    header = None if message is None else message.find(f"{namespace}GrpHdr")
    if message is None or header is None:
        raise malformed("it has no FIToFICstmrCdtTrf with a group header")
    transfers = message.findall(f"{namespace}CdtTrfTxInf")
    if not 0 < len(transfers) <= MAX_TRANSFERS:
        raise malformed(f"it must hold 1 to {MAX_TRANSFERS} transfers")
    group = _Reader(header, namespace)
    stated = group.text("NbOfTxs")
    if stated and stated != str(len(transfers)):
        raise malformed("the number of transfers differs from the one in its header")
    sender = _agent(group, "InstgAgt")
    header_texts = GroupHeader(tenant, group.text("MsgId"), group.text("CreDtTm"), utc_offset_minutes)
    return [_transfer(header_texts, index, _Reader(transfer, namespace), sender) for index, transfer in enumerate(transfers)]


def _root(document: bytes) -> Any:
    if len(document) > MAX_BYTES:
        raise malformed(f"it is larger than {MAX_BYTES} bytes")
    declared = _ENCODING.match(document)
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed("it is not UTF-8") from None
    if (declared and declared.group(1).lower() not in (b"utf-8", b"utf8", b"us-ascii")) or "\0" in text:
        raise malformed("it is not UTF-8")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise malformed("document types are refused")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError:
        raise malformed("it is not well-formed XML") from None
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise malformed(f"it is nested deeper than {MAX_DEPTH}")
    return root


class _Reader:
    """Texts below one element by path of local names; an absent element is an empty text."""

    def __init__(self, element: Any, namespace: str) -> None:
        self._element = element
        self._namespace = namespace

    def text(self, *path: str) -> str:
        found = self._find(path)
        return "" if found is None else (found.text or "").strip()

    def attribute(self, name: str, *path: str) -> str:
        found = self._find(path)
        return "" if found is None else str(found.get(name) or "")

    def all(self, *path: str) -> list[_Reader]:
        return [_Reader(element, self._namespace) for element in self._element.findall(self._path(path))]

    def _find(self, path: tuple[str, ...]) -> Any:
        return self._element.find(self._path(path))

    def _path(self, path: tuple[str, ...]) -> str:
        return "/".join(self._namespace + name for name in path)


def _transfer(group: GroupHeader, index: int, reader: _Reader, group_sender: str) -> CreditTransfer:
    return CreditTransfer(
        group=group,
        index=index,
        uetr=reader.text("PmtId", "UETR"),
        end_to_end_id=reader.text("PmtId", "EndToEndId"),
        sender=_agent(reader, "InstgAgt") or group_sender or _agent(reader, "DbtrAgt"),
        amount=reader.text("IntrBkSttlmAmt"),
        currency=reader.attribute("Ccy", "IntrBkSttlmAmt"),
        acceptance_time=reader.text("AccptncDtTm"),
        debtor_id=_customer_number(reader),
        debtor_account=_account(reader, "DbtrAcct"),
        debtor_country=reader.text("Dbtr", "CtryOfRes") or reader.text("Dbtr", "PstlAdr", "Ctry"),
        creditor_account=_account(reader, "CdtrAcct"),
    )


def _agent(reader: _Reader, name: str) -> str:
    """BIC (BICFI since .03, BIC before) or clearing member id."""
    agent = (name, "FinInstnId")
    return reader.text(*agent, "BICFI") or reader.text(*agent, "BIC") or reader.text(*agent, "ClrSysMmbId", "MmbId")


def _account(reader: _Reader, name: str) -> str:
    return reader.text(name, "Id", "IBAN") or reader.text(name, "Id", "Othr", "Id")


def _customer_number(reader: _Reader) -> str:
    """The customer number that the bank assigned (external code CUST); passports and national ids are left where they are."""
    for kind in ("PrvtId", "OrgId"):
        for other in reader.all("Dbtr", "Id", kind, "Othr"):
            if other.text("SchmeNm", "Cd") == "CUST":
                return other.text("Id")
    return ""
