"""Names of settings that nobody reads: typing errors that would pass in silence.

Processes often share an environment, so a name counts as unknown when no service and no tool of ours reads it. Services can't import one
another: `make docs` writes the names of all of them beside this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from meshkit.strict_json import parse_json

PREFIX = "FINMESH_"
ANY = "__*"  # behind the name of a map, which takes any


@cache
def by_service() -> Mapping[str, frozenset[str]]:
    """Return every name by service; "tools" has those of the launcher and the command line."""
    content = parse_json((files("meshkit") / "known_settings.json").read_bytes())
    return {service: frozenset(names) for service, names in content.items()}


def unknown(given: Iterable[str], fields: Iterable[str]) -> dict[str, str]:
    """Return each given name that nobody reads, with the nearest one that somebody does, or empty.

    ``fields``: those of the process's own settings, lower case; what is inside one of its groups pydantic has judged already.
    """
    own = {PREFIX + field.upper() for field in fields}
    known = frozenset[str]().union(own, *by_service().values())
    maps = {name.removesuffix(ANY) for name in known if name.endswith(ANY)}
    found = {}
    for name in given:
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known or upper.partition("__")[0] in own | maps:
            continue
        found[name] = (get_close_matches(upper, sorted(known), n=1, cutoff=0.7) or [""])[0]
    return found
