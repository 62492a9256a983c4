"""Identifiers of people and companies, and secrets, in any text: where they are and how sure that is. The standard library alone.

``find`` gives kind, start, end and certainty in the text as it was given; ``mask`` replaces them. Both are linear in the text.
"""

from pii.finding import Certainty, Finding, Kind
from pii.scan import find, mask

__all__ = ["Certainty", "Finding", "Kind", "find", "mask"]
