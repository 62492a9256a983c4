"""The one transaction that makes a version visible.

Versions are ordered by (source_version, revision): a revision is another look at the same version, under another configuration. In the
overlap of two validities the newer one is in force, from this sequence on. A version that loses a part of its validity ends here, and what
is left of it begins here as a row of its own, so that one test on four numbers (from_seq, to_seq, valid_from_us, valid_to_us) is exact for
every index. A late older version takes only what newer ones left; when they left nothing, it was never visible.

Passages of every version but the newest demand what they demanded and what the newest version demands (ADR 37).
"""

from __future__ import annotations

from rag.adapters.ledger.accesses import Interned, access_of
from rag.adapters.ledger.changes import Changes
from rag.adapters.ledger.database import Connection, listed
from rag.adapters.ledger.documents import copied, newest, shown, title_hash
from rag.adapters.ledger.rows import VersionRow
from rag.adapters.ledger.sealing import Keys, document_owner, packed
from rag.adapters.ledger.validity import overlap, without
from rag.domain.document import ChangeKind, Prepared


def published(connection: Connection, keys: Keys, version: VersionRow, prepared: Prepared, reason: str) -> int:
    """Make an enrolled version visible; return the sequence from which it is."""
    standing = [other for other in shown(connection, version.document_row) if other.stands]
    changes = Changes(connection, version.tenant)
    interned = Interned(connection, version.tenant)
    _write(connection, keys, interned, version, prepared, reason)
    _begin(connection, changes, version, [other for other in standing if other.order > version.order])
    for older in standing:
        if older.order < version.order:
            _give_way(connection, changes, older, (version.valid_from_us, version.valid_to_us))
    _narrow(connection, interned, changes, version)
    return changes.write()


def _begin(connection: Connection, changes: Changes, version: VersionRow, newer: list[VersionRow]) -> None:
    """Let a version begin where no newer one is in force."""
    whole = version.valid_from_us, version.valid_to_us
    pieces = without(whole, ((other.valid_from_us, other.valid_to_us) for other in newer))
    if not pieces:
        changes.never(version.version_id)
        return
    connection.execute("UPDATE version SET valid_from_us = ?, valid_to_us = ? WHERE version_id = ?", (*pieces[0], version.version_id))
    changes.published(version.version_id)
    for piece in pieces[1:]:
        changes.published(copied(connection, version, piece).version_id)


def _give_way(connection: Connection, changes: Changes, older: VersionRow, taken: tuple[int, int]) -> None:
    """Let an older version end where a newer one is in force."""
    whole = older.valid_from_us, older.valid_to_us
    if not overlap(whole, taken):
        return
    changes.ended(older.version_id, ChangeKind.SUPERSEDED)
    for piece in without(whole, [taken]):
        changes.published(copied(connection, older, piece).version_id)


def _write(connection: Connection, keys: Keys, interned: Interned, version: VersionRow, prepared: Prepared, reason: str) -> None:
    """Write title, passages and names, sealed with the document's key."""
    assert version.sealed_key is not None
    key = keys.open(version.sealed_key, document_owner(version.tenant, version.document_id))
    words = {**version.described(keys), "title": prepared.title}
    connection.execute(
        "UPDATE version SET state = ?, reason = ?, configuration = ?, description = ?, title_hash = ? WHERE version_id = ?",
        (
            prepared.state.value,
            reason,
            prepared.configuration,
            key.seal(words, f"description {version.place}"),
            title_hash(connection, keys, version.tenant, prepared.title),
            version.version_id,
        ),
    )
    chunks = []
    for chunk in prepared.chunks:
        access_id = interned.id_of(chunk.access)
        sealed = key.seal(packed(chunk), f"{version.place}#{chunk.ordinal}")
        chunks.append((version.version_id, chunk.ordinal, access_id, access_id, sealed))
    connection.executemany("INSERT INTO chunk (version_id, ordinal, access_id, own_access_id, sealed) VALUES (?, ?, ?, ?, ?)", chunks)
    names = []
    for name, access in dict.fromkeys(prepared.names):
        access_id = interned.id_of(access)
        names.append((version.version_id, access_id, access_id, key.seal(name, f"name {version.place}")))
    connection.executemany("INSERT INTO name (version_id, access_id, own_access_id, sealed) VALUES (?, ?, ?, ?)", names)


def _narrow(connection: Connection, interned: Interned, changes: Changes, version: VersionRow) -> None:
    """Let passages of all versions but the newest demand what the newest demands as well; tell indexes of those that changed."""
    versions = shown(connection, version.document_row)
    first = newest(versions)
    assert first is not None
    demanded = access_of(first.demands)
    others = [other.version_id for other in versions if other.order != first.order]
    moved: set[int] = set()
    for table in ("chunk", "name"):
        rows = connection.query(
            f"SELECT DISTINCT version_id, own_access_id, access_id FROM {table} WHERE version_id IN {listed(others)}"  # noqa: S608
        )
        for version_id, own, access_id in rows:
            effective = interned.narrowed(own, demanded)
            if effective != access_id:
                connection.execute(
                    f"UPDATE {table} SET access_id = ? WHERE version_id = ? AND own_access_id = ?",  # noqa: S608
                    (effective, version_id, own),
                )
                moved.add(version_id)
    changes.moved(sorted(moved))
