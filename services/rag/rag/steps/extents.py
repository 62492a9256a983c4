"""How much of documents a caller may read: counts and grades of readable passages alone, as if there were no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag import ports
from rag.domain.document import Version
from rag.steps.rights import Standing


@dataclass(frozen=True, slots=True)
class Listed:
    """A version, how many of its passages may be read, and the highest grade of these."""

    version: Version
    passages: int
    grade: int


async def extents(library: ports.Library, standing: Standing, versions: Sequence[Version]) -> list[Listed]:
    """Return versions, in their order, with what may be read of them; one of which nothing may be read is left out.

    ``standing``: of a moment after the versions were found, so that what went meanwhile is not told of.
    """
    ids = [each.version_id for each in versions]
    found = await library.extents(standing.reader.tenant, ids, standing.access_ids)
    return [_listed(standing, each, found[each.version_id]) for each in versions if found.get(each.version_id)]


def _listed(standing: Standing, version: Version, counts: dict[int, int]) -> Listed:
    grade = max((standing.access[access_id].grade for access_id in counts), default=0)
    return Listed(version, sum(counts.values()), grade)
