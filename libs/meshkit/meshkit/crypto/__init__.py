"""Keyed identifiers, commitments, seals, and the rings of keys behind them."""
