"""The ledger in SQLite or PostgreSQL: one transaction makes a version visible, everything else is derived (ADR 37)."""
