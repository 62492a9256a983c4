"""What a download tells a person: one line now and then, of bytes that came and bytes to come. Imports the standard library alone.

`python -m localmesh.fetch.progress NAME COMMAND…` runs uv and says the same of it; what uv says itself is shown only when it fails.
"""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

EVERY_S = 2.0
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_UV = re.compile(r"^\s*(Downloading|Downloaded) (\S+)(?: \(([\d.]+)([KMG]?)i?B\))?")
_MB = 1e6


class Meter:
    """Bytes of one download; `total_bytes` may grow while it runs. Prints at most every two seconds, and at the end when anything came."""

    def __init__(
        self, name: str, total_bytes: int = 0, say: Callable[[str], None] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.done_bytes, self.total_bytes = 0, total_bytes
        self._name, self._say, self._clock = name, say or _stderr, clock
        self._next_s = clock() + EVERY_S

    def add(self, size_bytes: int) -> None:
        """So many more have come."""
        self.at(self.done_bytes + size_bytes)

    def at(self, done_bytes: int) -> None:
        """So many have come in all."""
        self.done_bytes = done_bytes
        if self._clock() >= self._next_s:
            self._next_s = self._clock() + EVERY_S
            self._tell()

    def done(self) -> None:
        """The last line; none for what needed no download."""
        if self.done_bytes:
            self._tell()

    def _tell(self) -> None:
        self._say(f"setup: {self._name}: {self.done_bytes / _MB:.1f} of {max(self.total_bytes, self.done_bytes) / _MB:.1f} MB\n")


def _stderr(line: str) -> None:
    sys.stderr.write(line)  # one write a line: several downloads run at once
    sys.stderr.flush()


def follow_uv(lines: Iterable[str], meter: Meter) -> list[str]:
    """Feed the meter from what uv says while it downloads; returns all lines. uv names the larger packages alone, each at start and end."""
    sizes: dict[str, int] = {}
    said = []
    for line in lines:
        said.append(line)
        match = _UV.match(line)
        if match is None:
            continue
        if match[3]:
            sizes[match[2]] = int(float(match[3]) * _UNITS[match[4]])
            meter.total_bytes += sizes[match[2]]
        elif match[1] == "Downloaded":
            meter.add(sizes.pop(match[2], 0))
    return said


def follow_pip(lines: Iterable[str], meter: Meter) -> list[str]:
    """Feed the meter from pip's raw progress; returns the other lines."""
    said = []
    for line in lines:
        match = re.match(r"Progress (\d+) of (\d+)$", line)
        if match is None:
            said.append(line)
            continue
        meter.total_bytes = int(match[2])
        meter.at(int(match[1]))
    return said


def main(arguments: list[str]) -> int:
    """Exit status of the command."""
    name, *command = arguments
    sys.stderr.write(f"setup: {name}\n")
    meter = Meter(name)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace") as process:
        assert process.stderr is not None
        said = follow_uv(process.stderr, meter)
    if process.returncode:
        sys.stderr.write("".join(said))
    else:
        meter.done()
    return process.returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
