"""Composition roots of the gateway, one for each transport."""
