"""Composition roots: `rpc` answers, `ingest` reads documents."""
