"""Every setting of every process as plain rows, read off the pydantic classes.

A service's settings are the subclasses of ``ServiceConfig`` in its ``config`` module. The environment variable follows from
pydantic-settings' prefix and delimiter, so that a renamed field renames it here too.
"""

from __future__ import annotations

import importlib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from meshkit.config import ServiceConfig
from provisioning import services
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parents[2]
SERVICES = tuple(service.package for service in services.load().services)
UNITS = {
    "_per_s": "1/s", "_s": "s", "_ms": "ms", "_us": "µs", "_bytes": "bytes", "_minor": "minor units", "_percent": "%",
    "_tokens": "tokens", "_per_minute": "1/min", "_hours": "h", "_days": "d", "_minutes": "min",
}  # fmt: skip
BOUNDS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "min_length": "length ≥", "max_length": "length ≤", "pattern": "matches"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One field. ``name`` is the dotted path in the class, ``variable`` the environment variable."""

    name: str
    variable: str
    type: str
    unit: str
    default: str
    bounds: str
    description: str


def configs(package: str) -> list[type[ServiceConfig]]:
    """Return the settings classes that a service defines. Raises LookupError when it has none."""
    module = importlib.import_module(f"{package}.config")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, ServiceConfig) and value.__module__.startswith(f"{package}.config")
    ]
    if not found:
        raise LookupError(f"{package}.config has no subclass of ServiceConfig")
    return found


def settings(config: type[ServiceConfig]) -> list[Setting]:
    """Return the settings of a class in the order of its fields, nested ones in place of their group."""
    prefix = config.model_config.get("env_prefix", "")
    delimiter = config.model_config.get("env_nested_delimiter") or "__"
    return list(_walk(config, (), str(prefix), str(delimiter), None))


def _walk(model: type[BaseModel], path: tuple[str, ...], prefix: str, delimiter: str, instance: BaseModel | None) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        group = _group(field.annotation)
        default = getattr(instance, name) if instance is not None else field.get_default(call_default_factory=True)
        if group is not None:
            yield from _walk(group, (*path, name), prefix, delimiter, default if isinstance(default, BaseModel) else None)
            continue
        yield Setting(
            name=".".join((*path, name)),
            variable=str(field.validation_alias or prefix + delimiter.join((*path, name))).upper(),
            type=type_name(field.annotation),
            unit=unit(name),
            default=default_text(default),
            bounds=bounds(field),
            description=" ".join((field.description or "").split()),
        )


def _group(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def unit(name: str) -> str:
    """Return the unit that a name ends with; empty when it names none."""
    return next((word for suffix, word in UNITS.items() if name.endswith(suffix)), "")


def type_name(annotation: Any) -> str:
    """Return a type as a person reads it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(type_name(part) for part in arguments if part is not type(None)) + (
            ", optional" if type(None) in arguments else ""
        )
    if origin is not None and hasattr(origin, "__metadata__"):
        return type_name(arguments[0])
    if hasattr(annotation, "__metadata__"):
        return type_name(annotation.__origin__)
    if origin in (list, tuple, set, frozenset):
        inner = [part for part in arguments if part is not Ellipsis]
        return f"list of {type_name(inner[0])}" if inner else "list"
    if origin is dict:
        return f"map of {type_name(arguments[0])} to {type_name(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    names = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path", SecretStr: "secret"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def default_text(default: Any) -> str:
    """Return a default as it would stand in the environment."""
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, SecretStr):
        return "a development value" if default.get_secret_value() else "none"
    if default is None or (not default and not isinstance(default, bool | int | float)):
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, Enum):
        return f"`{default.value}`"
    if isinstance(default, list | tuple | set | frozenset):
        return "`" + ", ".join(sorted(map(str, default)) if isinstance(default, set | frozenset) else map(str, default)) + "`"
    if isinstance(default, dict):
        return "`" + ", ".join(f"{key}: {value}" for key, value in default.items()) + "`"
    if isinstance(default, Path) and default.is_relative_to(ROOT):
        return f"`{default.relative_to(ROOT).as_posix()}`"
    return f"`{default}`"


def bounds(field: FieldInfo) -> str:
    """Return the limits of a field, as pydantic enforces them."""
    said = []
    for mark in field.metadata:
        for name, sign in BOUNDS.items():
            value = getattr(mark, name, None)
            if value is not None:
                said.append(f"{sign} {f'{value:g}' if isinstance(value, float) else value}")
    return ", ".join(said)
