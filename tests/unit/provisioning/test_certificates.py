import datetime as dt
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification
from provisioning.certificates import LEAF_LIFE, ensure_certificates, identities

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def load(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


def test_each_identity_is_named_as_a_workload_and_as_a_host(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    for identity in identities():
        names = load(tmp_path, identity).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://finmesh.local/{identity}"]
        assert names.get_values_for_type(x509.DNSName) == [identity, "localhost"]
        assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_leaves_are_signed_by_the_authority_and_cannot_sign(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    authority, leaf = load(tmp_path, "authority"), load(tmp_path, "audit")
    leaf.verify_directly_issued_by(authority)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
    with pytest.raises((InvalidSignature, ValueError)):
        load(tmp_path, "gateway").verify_directly_issued_by(leaf)


def test_a_chain_is_accepted_by_a_verifier_for_the_service_name(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    store = verification.Store([load(tmp_path, "authority")])
    verifier = verification.PolicyBuilder().store(store).time(NOW).build_server_verifier(x509.DNSName("risk-scoring"))
    assert len(verifier.verify(load(tmp_path, "risk-scoring"), [])) == 2
    with pytest.raises(verification.VerificationError):
        verifier.verify(load(tmp_path, "gateway"), [])


def test_keys_are_private(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    assert {stat.S_IMODE(key.stat().st_mode) for key in tmp_path.glob("*.key")} == {0o600}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    before = contents(tmp_path)
    ensure_certificates(tmp_path, NOW + dt.timedelta(days=1))
    assert contents(tmp_path) == before


def test_a_certificate_near_its_end_is_renewed_under_the_same_authority(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    authority, old = load(tmp_path, "authority"), load(tmp_path, "audit")
    ensure_certificates(tmp_path, NOW + LEAF_LIFE - dt.timedelta(days=6))
    new = load(tmp_path, "audit")
    assert new.serial_number != old.serial_number
    assert load(tmp_path, "authority") == authority
    new.verify_directly_issued_by(authority)


def test_a_new_authority_replaces_every_certificate(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    (tmp_path / "authority.key").unlink()
    ensure_certificates(tmp_path, NOW)
    for identity in identities():
        load(tmp_path, identity).verify_directly_issued_by(load(tmp_path, "authority"))
