from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from finmesh_cli.failures import UsageError
from finmesh_cli.settings import Language, Settings, default_certs, default_language


def settings(token: Path, tenant: str = "") -> Settings:
    return Settings("127.0.0.1:1", token.parent, token, tenant, "fraud-prevention", 1.0, Language.EN)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token.jwt"
    path.write_text(jwt.encode({"tenant": "bank-a"}, "k" * 32, algorithm="HS256") + "\n")
    return path


def test_the_tenant_is_the_token_s(token: Path) -> None:
    assert settings(token).tenant() == "bank-a"


def test_unless_it_is_named(token: Path) -> None:
    assert settings(token, "bank-b").tenant() == "bank-b"


@pytest.mark.parametrize("text", ["nonsense", jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256")])
def test_a_token_without_a_tenant(tmp_path: Path, text: str) -> None:
    (tmp_path / "token.jwt").write_text(text)
    with pytest.raises(UsageError):
        settings(tmp_path / "token.jwt").tenant()


@pytest.mark.parametrize(
    ("environment", "language"),
    [({"LANG": "zh_CN.UTF-8"}, Language.ZH), ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, Language.EN), ({}, Language.EN)],
)
def test_the_language_of_the_terminal(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], language: Language) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_language() is language


def test_certificates_are_where_the_launcher_puts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINMESH_VAR", "/somewhere")
    assert default_certs() == Path("/somewhere/certs")
