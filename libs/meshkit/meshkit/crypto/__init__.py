"""Keyed identifiers, commitments and seals. All keys derive from one root secret."""
