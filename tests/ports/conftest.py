"""Fixtures that port suites share with the protocol tests."""

from tests.protocol.conftest import fresh, pytest_runtest_teardown

__all__ = ["fresh", "pytest_runtest_teardown"]
