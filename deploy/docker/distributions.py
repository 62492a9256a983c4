"""`python distributions.py FOLDER`, for the Dockerfile: folders of our own distributions that the one in FOLDER needs, itself the last."""

import re
import sys
import tomllib
from pathlib import Path

PLACES = {
    "finmesh-provisioning": "deploy/provisioning",
    "finmesh-localmesh": "deploy/local",
    "finmesh-drills": "drills",
    "finmesh-cli": "cli",
}
"""Where a distribution of ours is not in libs/ under its name."""


def needed(root: Path, folder: str) -> list[str]:
    """Folders below `root`, each once, what is needed before what needs it. Raises FileNotFoundError."""
    found: list[str] = []

    def visit(place: str) -> None:
        project = tomllib.loads((root / place / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for entry in project["dependencies"]:
            name = re.split(r"[\[<>=~!; ]", entry)[0]
            if name.startswith("finmesh-"):
                other = PLACES.get(name, f"libs/{name.removeprefix('finmesh-')}")
                if other not in found:
                    visit(other)
        found.append(place)

    visit(folder)
    return found


if __name__ == "__main__":
    print("\n".join(needed(Path.cwd(), sys.argv[1])))
