"""What is looked at before a tool starts anything: the table of services, and numbers that no machine could follow."""

import sys

from meshkit.errors import InvalidDocument

from provisioning import services

MIN = 1.0
MAX = {"rate": 100_000.0, "seconds": 86_400.0}


def check(**numbers: float) -> None:
    """End the command with status 2 and one line on stderr for a broken table, or a number (named as its option) out of range."""
    wrong = [
        f"--{name} {value:g}: a number from {MIN:g} to {MAX[name]:g} is needed"
        for name, value in numbers.items()
        if not MIN <= value <= MAX[name]
    ]
    try:
        services.load()
    except InvalidDocument as error:
        wrong.append(" ".join(error.message.split()))
    if wrong:
        sys.stderr.write("; ".join(wrong) + "\n")
        raise SystemExit(2)
