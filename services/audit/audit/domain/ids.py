"""Ids as callers and producers send them. Looser than UUID, since evidence is not refused for its style; strict enough for every store."""

import re

from meshkit.errors import InvalidArgument

_ID = re.compile(r"[!-~]{1,128}")
_IDS = [re.compile(r"[!-~]{1,128}" + r"\x1f[!-~]{0,128}" * count) for count in range(4)]


def is_id(text: str) -> bool:
    """Whether text is 1 to 128 printable ASCII characters without spaces."""
    return _ID.fullmatch(text) is not None


def are_ids(required: str, *optional: str) -> bool:
    """Whether the first is an id and each other one is an id or empty; one look for all, since every record asks."""
    return _IDS[len(optional)].fullmatch("\x1f".join((required, *optional))) is not None


def checked_id(text: str, field: str) -> str:
    """Return the id; raises InvalidArgument MALFORMED_ID."""
    if not is_id(text):
        raise InvalidArgument(f"{field} is no id", reason="MALFORMED_ID", metadata={"field": field})
    return text
