"""Counts that completeness checks compare with what producers counted."""

from dataclasses import dataclass

from meshkit.tenants import checked_tenant
from translog.entries import Kind

from audit.ports import AuditReader


@dataclass(frozen=True, slots=True)
class Statistics:
    """Records of the tenant; everything else of the whole log."""

    records: int
    conflicts: int
    poison: int
    gaps: int
    tree_size: int


async def get_statistics(reader: AuditReader, *, tenant: str) -> Statistics:
    """Return the counts; raises InvalidArgument, Unavailable."""
    checked_tenant(tenant)
    tallies = await reader.tallies()
    return Statistics(
        records=tallies.get((Kind.RECORD, tenant), 0),
        conflicts=tallies.get((Kind.CONFLICT, ""), 0),
        poison=tallies.get((Kind.POISON, ""), 0),
        gaps=tallies.get((Kind.GAP, ""), 0),
        tree_size=sum(tallies.values()),
    )
