"""Puts docs/ on the import path, so that the tests and `make docs` read settings with the same code."""

from __future__ import annotations

import sys

from .repository import ROOT

sys.path.insert(0, str(ROOT / "docs"))
