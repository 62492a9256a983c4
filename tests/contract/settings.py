"""Which environment variables a process reads, for the contract tests."""

from __future__ import annotations

from generate.settings import Setting, configs, settings


def environment_names(module: str) -> dict[str, Setting]:
    """Return the settings of the service that ``python -m module`` starts, by environment variable."""
    return {setting.variable: setting for config in configs(module.partition(".")[0]) for setting in settings(config)}
