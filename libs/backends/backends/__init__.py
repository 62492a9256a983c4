"""Engines of language models as services see them: one port, and whatever stands behind it."""
