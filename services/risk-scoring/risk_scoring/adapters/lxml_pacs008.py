"""pacs.008 XML by lxml: from untrusted bytes to the plain records of `domain/pacs008.py`.

The document comes from outside. It must be UTF-8 without a document type (so there are no entities to expand), within limits of size and
depth; nothing is fetched. Elements are matched by local name inside the Document of versions .02 to .13, wherever it stands (a business
message envelope around it is fine), because the names used did not change between those versions.

Nothing is picked in silence. An envelope with a second Document, a second group header or another number of transfers than it states is
refused whole. A transfer in which an element stands twice where one belongs (or both sides of a choice do) is handed on with the names of
those, and fails alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lxml import etree

from risk_scoring.domain.pacs008 import CreditTransfer, GroupHeader, malformed

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_TRANSFERS = 2000
CHINA_OFFSET_MINUTES = 480
_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:pacs\.008\.001\.(?:0[2-9]|1[0-3])")
_XML_WHITE_SPACE = " \t\r\n"  # a no-break or an ideographic space is content
_COUNT = re.compile(r"[0-9]{1,15}")  # Max15NumericText: 01 is one
_ENCODING = re.compile(rb"""\A(?:\xef\xbb\xbf)?<\?xml[^>]*\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


def parse_document(tenant: str, document: bytes, utc_offset_minutes: int = CHINA_OFFSET_MINUTES) -> list[CreditTransfer]:
    """Read the transfers of a document; raises InvalidArgument (MALFORMED_DOCUMENT), whose text holds nothing of the document.

    ``utc_offset_minutes``: local time of the bank, for times that state no offset (ISODateTime may leave it out).
    """
    body = _body(_root(document))
    namespace = f"{{{etree.QName(body).namespace}}}"
    message = _only(body, f"{namespace}FIToFICstmrCdtTrf")
    header = None if message is None else _only(message, f"{namespace}GrpHdr")
    if message is None or header is None:
        raise malformed("it has no FIToFICstmrCdtTrf with a group header")
    transfers = message.findall(f"{namespace}CdtTrfTxInf")
    if not 0 < len(transfers) <= MAX_TRANSFERS:
        raise malformed(f"it must hold 1 to {MAX_TRANSFERS} transfers")
    if sum(1 for _ in body.iter("{*}CdtTrfTxInf")) != len(transfers):
        raise malformed("a transfer stands where none belongs")
    group = _Reader(header, namespace, _refuse)
    stated = group.text("NbOfTxs")
    if stated and not (_COUNT.fullmatch(stated) and int(stated) == len(transfers)):
        raise malformed("the number of transfers differs from the one in its header")
    sender = _agent(group, "InstgAgt")
    header_texts = GroupHeader(tenant, group.text("MsgId"), group.text("CreDtTm"), utc_offset_minutes)
    return [_transfer(header_texts, index, transfer, namespace, sender) for index, transfer in enumerate(transfers)]


def _body(root: Any) -> Any:
    """The one Document. One of another namespace may stand around it (an envelope), or inside it as supplementary data; none beside it."""
    documents = list(root.iter("{*}Document"))
    ours = [document for document in documents if _NAMESPACE.fullmatch(etree.QName(document).namespace or "")]
    if not ours:
        raise malformed("it holds no Document of pacs.008.001.02 to .13")
    within = {ours[0], *ours[0].iterancestors(), *ours[0].iterdescendants("{*}Document")}
    if len(ours) > 1 or any(document not in within for document in documents):
        raise malformed("it holds more than one Document")
    return ours[0]


def _only(parent: Any, name: str) -> Any:
    found = parent.findall(name)
    if len(found) > 1:
        _refuse(etree.QName(name).localname)
    return found[0] if found else None


def _refuse(path: str) -> None:
    raise malformed(f"{path} stands more than once or is not plain")


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
    """Texts below one element by path of local names; an absent element is an empty text.

    ``doubt`` is told the path when an element stands twice where one belongs, or when a text holds elements: part of it would be lost.
    """

    def __init__(self, element: Any, namespace: str, doubt: Callable[[str], None]) -> None:
        self._element = element
        self._namespace = namespace
        self._doubt = doubt

    def text(self, *path: str) -> str:
        found = self._find(path)
        if found is not None and len(found):
            self._doubt("/".join(path))
        return "" if found is None else (found.text or "").strip(_XML_WHITE_SPACE)

    def attribute(self, name: str, *path: str) -> str:
        found = self._find(path)
        return "" if found is None else str(found.get(name) or "")

    def choice(self, *paths: tuple[str, ...]) -> str:
        """The text of the one path that is there."""
        texts = [self.text(*path) for path in paths]
        if sum(map(bool, texts)) > 1:
            self._doubt("/".join(paths[0]))
        return next(filter(None, texts), "")

    def all(self, *path: str) -> list[_Reader]:
        """Readers of an element that may repeat."""
        parent = self._find(path[:-1])
        return [] if parent is None else [_Reader(e, self._namespace, self._doubt) for e in parent.findall(self._namespace + path[-1])]

    def _find(self, path: tuple[str, ...]) -> Any:
        element = self._element
        for name in path:
            found = element.findall(self._namespace + name)
            if len(found) > 1:
                self._doubt("/".join(path))
            if not found:
                return None
            element = found[0]
        return element


def _transfer(group: GroupHeader, index: int, element: Any, namespace: str, group_sender: str) -> CreditTransfer:
    doubts: list[str] = []
    reader = _Reader(element, namespace, doubts.append)
    return CreditTransfer(
        group=group,
        index=index,
        uetr=reader.text("PmtId", "UETR"),
        end_to_end_id=reader.text("PmtId", "EndToEndId"),
        sender=_agent(reader, "InstgAgt") or group_sender or _agent(reader, "DbtrAgt"),
        amount=reader.text("IntrBkSttlmAmt"),
        currency=reader.attribute("Ccy", "IntrBkSttlmAmt"),
        acceptance_time=reader.text("AccptncDtTm"),
        debtor_id=_customer_number(reader, doubts.append),
        debtor_account=_account(reader, "DbtrAcct"),
        debtor_country=reader.text("Dbtr", "CtryOfRes") or reader.text("Dbtr", "PstlAdr", "Ctry"),
        creditor_account=_account(reader, "CdtrAcct"),
        ambiguous=tuple(dict.fromkeys(doubts)),
    )


def _agent(reader: _Reader, name: str) -> str:
    """BIC (BICFI since .03, BIC before) or clearing member id."""
    agent = (name, "FinInstnId")
    return reader.text(*agent, "BICFI") or reader.text(*agent, "BIC") or reader.text(*agent, "ClrSysMmbId", "MmbId")


def _account(reader: _Reader, name: str) -> str:
    return reader.choice((name, "Id", "IBAN"), (name, "Id", "Othr", "Id"))


def _customer_number(reader: _Reader, doubt: Callable[[str], None]) -> str:
    """The customer number that the bank assigned (external code CUST); passports and national ids are left where they are."""
    others = [other for kind in ("PrvtId", "OrgId") for other in reader.all("Dbtr", "Id", kind, "Othr")]
    numbers = list(dict.fromkeys(other.text("Id") for other in others if other.text("SchmeNm", "Cd") == "CUST"))
    if len(numbers) > 1:
        doubt("Dbtr/Id")
    return numbers[0] if numbers else ""
