"""Tools of a file, as OpenAI's API writes them: a JSON list of functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from finmesh.router.v1 import router_service_pb2 as router
from meshkit.errors import InvalidDocument
from meshkit.strict_json import parse_json

from finmesh_cli import files
from finmesh_cli.failures import UsageError

_MAX_BYTES = 512 * 1024
_FIELDS = {"name": str, "description": str, "parameters": dict, "strict": bool}


def read(path: Path) -> list[router.Tool]:
    """Return the tools. Raises UsageError that names what is wrong; what their schemas may be, the mesh says."""
    try:
        content = parse_json(files.text(path, _MAX_BYTES).encode())
    except InvalidDocument as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(content, list):
        raise UsageError(f"{path}: is no list of tools")
    return [_tool(each, f"{path}: [{number}]") for number, each in enumerate(content)]


def _tool(value: Any, place: str) -> router.Tool:
    if not isinstance(value, dict) or value.get("type") != "function" or not isinstance(value.get("function"), dict):
        raise UsageError(f'{place} must be {{"type": "function", "function": ...}}')
    function = value["function"]
    for name, content in function.items():
        if name not in _FIELDS or not isinstance(content, _FIELDS[name]):
            raise UsageError(f"{place}.function.{name}: is wrong or not known")
    if "name" not in function:
        raise UsageError(f"{place}.function.name: is required")
    parameters = json.dumps(function["parameters"], ensure_ascii=False) if "parameters" in function else ""
    return router.Tool(
        name=function["name"], description=function.get("description", ""), parameters=parameters, strict=function.get("strict", False)
    )
