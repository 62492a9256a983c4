"""Checks statements against the passages that they cite: numbers, units, periods, polarity. The standard library alone.

``verify`` says whether passages support a statement, and where; ``calculate`` derives numbers from cited ones.
"""

from claims.evidence import Evidence
from claims.verify import Status, Used, Verdict, verify

__all__ = ["Evidence", "Status", "Used", "Verdict", "verify"]
