"""Who may read what: deny by default, decided at the moment of the request.

A passage demands an `Access`; whoever asks is a `Reader`. Equal demands of one tenant share one access id, so that an index filters by
integers. What a caller states only narrows; groups and barriers come from the ledger's grants alone, and the clearance is the lower of
token and grant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from meshkit.errors import InvalidArgument

HIGHEST_INDEXED = 3
"""Grade L4 and above never reach an index (security.md): secrets are withheld, a document that declares them waits for a curator."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a passage demands of its reader.

    ``groups``: membership in one of them, empty: of nobody in particular. ``barriers``: the reader stands inside each of these
    information barriers. ``purposes``: one of them is the call's, empty: any. ``publish_at_us``: embargo until then;
    ``expires_at_us``: gone from then on (Unix time, microseconds).
    """

    grade: int
    groups: frozenset[str] = frozenset()
    barriers: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    publish_at_us: int | None = None
    expires_at_us: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidArgument (ACCESS_INVALID)."""
        if not 1 <= self.grade <= HIGHEST_INDEXED:
            raise InvalidArgument(f"grade L1 to L{HIGHEST_INDEXED} can be read from an index", reason="ACCESS_INVALID")
        if self.publish_at_us is not None and self.expires_at_us is not None and self.expires_at_us <= self.publish_at_us:
            raise InvalidArgument("it would expire before it is published", reason="ACCESS_INVALID")

    def at_grade(self, grade: int) -> Access:
        """Return the same demands at a grade that is at least this one."""
        return replace(self, grade=max(grade, self.grade))


@dataclass(frozen=True, slots=True)
class Grant:
    """What the ledger says of a principal of a tenant. Without one: clearance L1, no group, no barrier."""

    clearance: int = 1
    groups: frozenset[str] = frozenset()
    barriers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, for what, with the rights of this moment."""

    tenant: str
    principal: str
    purpose: str
    clearance: int
    groups: frozenset[str] = frozenset()
    barriers: frozenset[str] = frozenset()

    def may_read(self, access: Access, now_us: int) -> bool:
        """Whether a passage of the reader's own tenant with these demands may be shown now."""
        return (
            access.grade <= self.clearance
            and (not access.groups or not access.groups.isdisjoint(self.groups))
            and access.barriers <= self.barriers
            and (not access.purposes or self.purpose in access.purposes)
            and (access.publish_at_us is None or access.publish_at_us <= now_us)
            and (access.expires_at_us is None or now_us < access.expires_at_us)
        )


def reader_of(tenant: str, principal: str, purpose: str, token_clearance: int, grant: Grant) -> Reader:
    """Return the reader of a call: the lower of both clearances, groups and barriers of the grant."""
    return Reader(
        tenant=tenant,
        principal=principal,
        purpose=purpose,
        clearance=min(token_clearance, grant.clearance),
        groups=grant.groups,
        barriers=grant.barriers,
    )
