import datetime as dt
import json
import stat
from pathlib import Path

import jwt
import pytest
from provisioning.tokens import AUDIENCE, ISSUER, ensure_token, issuer_key, mint

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


def checked(folder: Path, token: str) -> dict[str, object]:
    """Claims, as a verifier that only knows jwks.json gets them."""
    keys = jwt.PyJWKSet.from_dict(json.loads((folder / "jwks.json").read_text()))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key.key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)


def test_the_token_is_accepted_with_the_published_keys(tmp_path: Path) -> None:
    ensure_token(tmp_path, NOW)
    claims = checked(tmp_path, (tmp_path / "token.jwt").read_text())
    assert claims["exp"] - claims["iat"] == 12 * 3600
    assert (claims["sub"], claims["tenant"], claims["purposes"]) == ("core-banking", "bank-a", ["fraud-prevention"])
    assert claims["jti"]


def test_nothing_private_is_published(tmp_path: Path) -> None:
    ensure_token(tmp_path, NOW)
    (key,) = json.loads((tmp_path / "jwks.json").read_text())["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("issuer.key", "token.jwt")} == {0o600}


@pytest.mark.parametrize("hours, renewed", [(0, False), (5, False), (7, True), (13, True)])
def test_a_token_past_half_its_life_is_renewed(tmp_path: Path, hours: int, renewed: bool) -> None:
    ensure_token(tmp_path, NOW)
    before = (tmp_path / "token.jwt").read_text()
    ensure_token(tmp_path, NOW + dt.timedelta(hours=hours))
    assert ((tmp_path / "token.jwt").read_text() != before) is renewed


def test_a_token_of_another_key_is_replaced(tmp_path: Path) -> None:
    ensure_token(tmp_path, NOW)
    (tmp_path / "issuer.key").unlink()
    ensure_token(tmp_path, NOW)
    assert checked(tmp_path, (tmp_path / "token.jwt").read_text())["sub"] == "core-banking"


def test_claims_can_be_changed_or_left_out(tmp_path: Path) -> None:
    token = mint(issuer_key(tmp_path), NOW, tenant="bank-b", purposes=None)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["tenant"] == "bank-b"
    assert "purposes" not in claims
