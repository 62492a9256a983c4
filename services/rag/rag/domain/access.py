"""Who may read what: deny by default, decided at the moment of the request.

A passage demands an `Access`; whoever asks is a `Reader`. Equal demands of one tenant share one access id, so that an index filters by
integers. What a caller states only narrows; groups and barriers come from the ledger's grants alone, and the clearance is the lower of
token and grant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from meshkit.errors import InvalidArgument

NOBODY = "\x00"
"""A group, a purpose that nobody has: no name of one holds a control character."""

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

    def narrowed(self, newest: Access) -> Access:
        """Return demands that nobody meets who does not meet both: what passages of a superseded version demand.

        Where both name groups, one that both name is needed, although being in one of each might do: never wider than either.
        """
        publish = max((at for at in (self.publish_at_us, newest.publish_at_us) if at is not None), default=None)
        expires = min((at for at in (self.expires_at_us, newest.expires_at_us) if at is not None), default=None)
        groups = _both(self.groups, newest.groups)
        if publish is not None and expires is not None and expires <= publish:
            publish, expires, groups = None, None, frozenset({NOBODY})
        purposes = _both(self.purposes, newest.purposes)
        return Access(
            grade=max(self.grade, newest.grade),
            groups=groups,
            barriers=self.barriers | newest.barriers,
            purposes=purposes,
            publish_at_us=publish,
            expires_at_us=expires,
        )


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


def _both(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """Return the names of which one is needed by both; empty asks for none."""
    if not one or not other:
        return one | other
    return one & other or frozenset({NOBODY})


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
