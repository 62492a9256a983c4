"""How a passage is called: in requests by its id, in citations by an address.

An id is ``<document_id>@<source_version>#<ordinal>``; an address ``finmesh://knowledge/<document_id>/<source_version>#<ordinal>`` with the
document's id percent-encoded: it names, and leads nowhere outside of the mesh. Document ids are any Unicode, so an id is read from its end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from meshkit.errors import NotFound

PREFIX = "finmesh://knowledge/"
_ID = re.compile(r"(.{1,200})@([1-9][0-9]{0,18})#(0|[1-9][0-9]{0,8})", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class PassageId:
    """One passage of one version of a document."""

    document_id: str
    source_version: int
    ordinal: int

    def __str__(self) -> str:
        """Return the id as it travels."""
        return f"{self.document_id}@{self.source_version}#{self.ordinal}"

    @property
    def url(self) -> str:
        """Return the address in citations."""
        return f"{PREFIX}{quote(self.document_id, safe='')}/{self.source_version}#{self.ordinal}"


def passage_id(text: str) -> PassageId:
    """Read an id, or an address. Raises NotFound (PASSAGE_NOT_FOUND): what is no id is no passage either, and looks no different."""
    if text.startswith(PREFIX):
        document, _, rest = text.removeprefix(PREFIX).rpartition("/")
        text = f"{unquote(document)}@{rest}"
    found = _ID.fullmatch(text)
    if found is None:
        raise NotFound("there is no such passage", reason="PASSAGE_NOT_FOUND")
    return PassageId(found[1], int(found[2]), int(found[3]))
