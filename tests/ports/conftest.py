"""Fixtures that port suites share with the protocol tests."""

from tests.protocol.conftest import fresh

__all__ = ["fresh"]
