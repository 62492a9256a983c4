"""Certificates for servers and clients in process."""

import datetime as dt
from pathlib import Path

import pytest
from provisioning import certificates


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    """Certificates of every identity, fresh for one test, which may change them."""
    certificates.ensure_certificates(tmp_path / "certs", dt.datetime.now(dt.UTC))
    return tmp_path / "certs"
