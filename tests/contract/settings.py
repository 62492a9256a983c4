"""Which environment variables a process reads, for the contract tests."""

from __future__ import annotations

from collections.abc import Iterable

from generate.settings import Setting, configs, settings
from meshkit.config import ServiceConfig


def process_config(module: str) -> type[ServiceConfig]:
    """Return the settings class of the process that ``python -m module`` starts."""
    package, _, process = module.partition(".")
    found = configs(package)
    named = [each for each in found if each.__name__ == f"{process.rpartition('.')[2].title()}Config"]
    (only,) = named or found
    return only


def unknown(module: str, given: Iterable[str]) -> set[str]:
    """Return the names that no setting of the process has; a map takes any name behind its own."""
    known = environment_names(module)
    maps = {name for name, setting in known.items() if setting.type.startswith("map ")}
    return {name for name in given if name not in known and name.partition("__")[0] not in maps}


def environment_names(module: str) -> dict[str, Setting]:
    """Return the settings of that process by environment variable."""
    return {setting.variable: setting for setting in settings(process_config(module))}
