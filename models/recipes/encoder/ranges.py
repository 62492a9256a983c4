"""How far the inputs of products reach, as `ranges.json` beside this file says; measured once (`calibrate`), so that every set-up makes
the same bytes.

Fixed ranges, and not those of each run: else a vector would depend on which texts happen to be encoded beside its own. Some channels reach
ten times as far as all others, always the same; they are divided by something first, and their weights multiplied by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
FILE = Path(__file__).with_name("ranges.json")
PLACES = ("in", "att", "x1", "g")
"""Inputs of the products of a layer: of query, key and value; of what follows attention; of the wide product; of the narrow one."""


@dataclass(frozen=True, slots=True)
class Range:
    """``least`` and ``most`` of an input once its ``divisors`` (by channel) were applied."""

    least: float
    most: float
    divisors: Mapping[int, float]

    def divided(self, width: int) -> F32 | None:
        """What each channel is divided by; None when nothing is."""
        if not self.divisors:
            return None
        found = np.ones(width, np.float32)
        for channel, divisor in self.divisors.items():
            found[channel] = divisor
        return found


Ranges = Mapping[str, Range]


def load(path: Path = FILE) -> dict[str, Range]:
    """By place: l0.in, l0.att, and so on."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return {
        place: Range(each["least"], each["most"], {int(channel): divisor for channel, divisor in each["divisors"].items()})
        for place, each in document.items()
    }


def save(ranges: Ranges, path: Path = FILE) -> None:
    lines = [
        f"{json.dumps(place)}: {json.dumps({'least': each.least, 'most': each.most, 'divisors': dict(each.divisors)})}"
        for place, each in ranges.items()
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
