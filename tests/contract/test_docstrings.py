"""What a stranger calls says what its signature cannot: docstrings of the trust core and of the house's boiler room.

Held where a wrong guess costs most: the log and its service (what is proven, what an error means) and the packages that start and
provision everything. Properties and dunder methods are left out: their name or the language says it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from .repository import ROOT

PACKAGES = ("libs/translog/translog", "services/audit/audit", "deploy/local/localmesh", "deploy/provisioning/provisioning")
_PROPERTIES = frozenset({"property", "cached_property"})

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def is_property(definition: Definition) -> bool:
    names = {ast.unparse(decorator) for decorator in definition.decorator_list}
    return bool(names & _PROPERTIES) or any(name.endswith((".setter", ".cached_property")) for name in names)


def public(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, Definition]]:
    """Public classes, functions and methods; what stands inside a function belongs to it."""
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_") or is_property(node):
            continue
        yield f"{owner}{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{owner}{node.name}.")


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_public_has_a_docstring(package: str) -> None:
    found = [
        (f"{path.relative_to(ROOT)}:{node.lineno} {name}", ast.get_docstring(node))
        for path in sorted((ROOT / package).rglob("*.py"))
        for name, node in public(ast.parse(path.read_text()).body)
    ]
    assert len(found) > 20, "nothing was read"
    assert not [where for where, text in found if not text]
