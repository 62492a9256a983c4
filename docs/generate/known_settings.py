"""libs/meshkit/meshkit/known_settings.json: the name of every setting by service, and of those that our tools read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields

import click
import typer
from finmesh_cli.__main__ import app
from localmesh.external import External
from localmesh.ports import Ports
from meshkit.config import ServiceConfig
from meshkit.known_settings import ANY
from provisioning.engines import Sizes
from pydantic import BaseModel

from generate.settings import SERVICES, configs, settings

TOOLS = (
    "FINMESH_ENCODER_MODEL", "FINMESH_ENCODER_THREADS", "FINMESH_LLM_MODEL", "FINMESH_LOG_LEVEL", "FINMESH_MAVEN_REPOSITORY", "FINMESH_VAR",
)  # fmt: skip


def page() -> str:
    """Return the names as JSON."""
    services = {package.replace("_", "-"): sorted({name for each in configs(package) for name in _names(each)}) for package in SERVICES}
    return json.dumps({**services, "tools": sorted({*TOOLS, *_launcher(), *_command(typer.main.get_command(app))})}, indent=1) + "\n"


def _names(config: type[ServiceConfig]) -> Iterator[str]:
    """Every setting, and each group as a whole: pydantic-settings takes a group's JSON as well."""
    for setting in settings(config):
        yield setting.variable
        if setting.type.startswith("map "):
            yield setting.variable + ANY
    for name, field in config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield f"FINMESH_{name.upper()}"


def _launcher() -> Iterator[str]:
    yield from (f"FINMESH_PORT_{name.upper()}" for name in Ports().by_name())
    yield from (f"FINMESH_EXTERNAL_{field.name.upper()}" for field in fields(External))
    yield from (f"FINMESH_LLM_{field.name.upper()}" for field in fields(Sizes))


def _command(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        named = parameter.envvar or ()
        yield from [named] if isinstance(named, str) else named
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from _command(each)
