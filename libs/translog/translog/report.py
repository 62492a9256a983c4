"""What a check of a log found."""

from dataclasses import dataclass, field

from translog.errors import ExitCode

_MAX_FINDINGS = 1000


def plain(text: str) -> str:
    """Text of a store that may be hostile, as a terminal can show it: no control characters, no lone surrogates."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `check` is a stable word; `where` names the row."""

    check: str
    where: str
    detail: str


@dataclass(slots=True)
class Report:
    """What was checked and what was found. `newer` leaves are sound and of a kind that only a later version of this program can judge."""

    origin: str = ""
    size: int = 0
    checkpoints: int = 0
    tiles: int = 0
    newer: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    truncated: bool = False

    @property
    def exit_code(self) -> ExitCode:
        if self.findings:
            return ExitCode.TAMPER
        return ExitCode.USAGE if self.newer else ExitCode.OK

    def add(self, check: str, where: object, detail: str) -> None:
        """Note a finding with its text made plain; after 1,000 of them, only that there are more (`truncated`)."""
        if len(self.findings) < _MAX_FINDINGS:
            self.findings.append(Finding(check, plain(str(where)), plain(detail)))
        else:
            self.truncated = True
