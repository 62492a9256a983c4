"""A development authority: one certificate per service, named as in production, so that mutual TLS is never switched off here.

Identity is the SPIFFE URI in the subject alternative name (`spiffe://finmesh.local/<service>`, SPIFFE X.509-SVID); the DNS
names and 127.0.0.1 are there because gRPC checks the host as well. Keys are ECDSA P-256, readable by the owner alone.
"""

import datetime as dt
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provisioning import services

TRUST_DOMAIN = "finmesh.local"
AUTHORITY_LIFE = dt.timedelta(days=365)
LEAF_LIFE = dt.timedelta(days=30)
RENEW_BEFORE = dt.timedelta(days=7)
CLOCK_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def identities() -> tuple[str, ...]:
    """Who has a certificate: every service, the simulated bank, a person. Raises InvalidDocument."""
    return (*services.load().names, "simbank", "client")


def ensure_certificates(folder: Path, now: dt.datetime, more: Iterable[str] = ()) -> None:
    """Mints what is missing in `folder` or has less than a week to live, for `more` as well; a new authority replaces every certificate."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = read(folder, "authority")
    if authority is None or not fresh(authority.certificate, now):
        authority = new_authority(now)
        write(folder, "authority", authority)
    for identity in (*identities(), *more):
        pair = read(folder, identity)
        if pair is None or not fresh(pair.certificate, now) or not issued_by(pair.certificate, authority):
            write(folder, identity, new_leaf(identity, authority, now))


def fresh(certificate: x509.Certificate, now: dt.datetime) -> bool:
    """It is valid for another week at least."""
    return certificate.not_valid_before_utc <= now and now + RENEW_BEFORE < certificate.not_valid_after_utc


def issued_by(certificate: x509.Certificate, authority: Pair) -> bool:
    """The authority's key id stands in the certificate."""
    named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return named.key_identifier == x509.SubjectKeyIdentifier.from_public_key(authority.key.public_key()).digest


def new_authority(now: dt.datetime) -> Pair:
    """A self-signed authority that can sign certificates and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "finmesh development authority")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate, key)


def new_leaf(identity: str, authority: Pair, now: dt.datetime) -> Pair:
    """A certificate for both ends of a connection, because every service is also a client."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity)])
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/{identity}"),
        x509.DNSName(identity),
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
    ]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _builder(name, authority.certificate.subject, key, now, LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Pair(certificate, key)


def read(folder: Path, name: str) -> Pair | None:
    """The pair of that name, None when a file is missing. Raises ValueError for a file that is damaged."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
    except FileNotFoundError:
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{folder / name}.key is no elliptic curve key")
    return Pair(certificate, key)


def write(folder: Path, name: str, pair: Pair) -> None:
    """Key first and private from its first byte, then the certificate."""
    write_private(folder / f"{name}.key", private_pem(pair.key))
    (folder / f"{name}.pem").write_bytes(pair.certificate.public_bytes(serialization.Encoding.PEM))


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8, not encrypted."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def write_private(path: Path, content: bytes) -> None:
    """Replaces a file that only its owner can read, never exposing or truncating it on the way."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    scratch.touch(mode=0o600)
    with scratch.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime, life: dt.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
