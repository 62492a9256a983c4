"""Encoders of texts: what one is (`manifest`), its graph (`session`), and the queue in front of it."""
