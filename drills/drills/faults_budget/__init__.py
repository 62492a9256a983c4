"""Kills what meters and records tokens, and compares what is booked with the sum over the audit records."""
