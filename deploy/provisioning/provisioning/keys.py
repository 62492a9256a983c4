"""Key files of a mesh, one a purpose: made once from a root secret, later rotated by add, promote and retire.

A folder holds `ids.json`, `seal.json`, `commitment.json`, `principals.json`, `namespaces.json`, `tickets.json`,
`audit-batch.<workload>.json`, `audit-batch.json` (the key that all producers shared once) and `audit-log.key`. Each process is handed the
files of its own purposes; the root is handed to nobody.
Files are replaced whole, private from their first byte; processes read them again while they run.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from meshkit.crypto.derive import AUDIT_BATCH, COMMITMENT, IDS, NAMESPACES, PRINCIPALS, SEAL, TICKETS, derive_key, derive_ring, signing
from meshkit.crypto.ring import KEY_BYTES, RingKeys, read_ring
from meshkit.errors import FailedPrecondition
from translog.note import Signer

from provisioning.certificates import write_private

LOG_KEY = "audit-log.key"
ORIGIN = "finmesh.local/audit"
_PURPOSES = (IDS, COMMITMENT, SEAL, PRINCIPALS, NAMESPACES, TICKETS, AUDIT_BATCH)


def path_of(folder: Path, purpose: str) -> Path:
    """The file of a purpose; its name fits a Kubernetes Secret as well."""
    return folder / f"{purpose.replace('|', '.')}.json"


def ensure_keys(folder: Path, root: bytes, key_id: str, workloads: Iterable[str], origin: str = ORIGIN, *, shared: bool = True) -> None:
    """Makes what is missing in `folder`; what is there stays. `shared`: accept the key that producers of this root once shared."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder):
        for purpose in (*_PURPOSES, *map(signing, sorted(set(workloads)))):
            path = path_of(folder, purpose)
            if not path.exists():
                keys = derive_ring(root, key_id, purpose)
                if purpose == AUDIT_BATCH:
                    keys = replace(keys, primary="", secrets=keys.secrets if shared else {})
                write_private(path, keys.content())
        if not (folder / LOG_KEY).exists():
            write_private(folder / LOG_KEY, Signer(origin, derive_key(root, f"audit-log|{origin}")).text().encode())


def rings(folder: Path) -> list[RingKeys]:
    """The rings of a folder that rotate, by name. Raises FailedPrecondition (KEY_RING_INVALID), OSError."""
    names = sorted(path.stem for path in folder.glob("*.json"))
    return [read_ring(folder / f"{name}.json", name.replace(".", "|", 1)) for name in names if name != IDS]


def add(folder: Path, purpose: str, key_id: str) -> None:
    """A new key that everybody accepts and nobody uses yet. Raises FailedPrecondition, OSError."""

    def added(keys: RingKeys) -> RingKeys:
        if purpose == AUDIT_BATCH:
            raise _refused("the key that everybody shared is only ever retired")
        if key_id in keys.secrets:
            raise _refused(f"{purpose} has a key {key_id}")
        return replace(keys, secrets={**keys.secrets, key_id: secrets.token_bytes(KEY_BYTES)})

    _change(folder, purpose, added)


def promote(folder: Path, purpose: str, key_id: str) -> None:
    """The key that is used from now on; the one before it stays accepted. Raises FailedPrecondition, OSError."""
    _change(folder, purpose, lambda keys: replace(keys, primary=_known(keys, key_id)))


def retire(folder: Path, purpose: str, key_id: str) -> None:
    """A key that nobody accepts any more; never the primary. Raises FailedPrecondition, OSError."""

    def retired(keys: RingKeys) -> RingKeys:
        if keys.primary == _known(keys, key_id):
            raise _refused(f"{key_id} is the primary of {purpose}: promote another first")
        return replace(keys, secrets={other: secret for other, secret in keys.secrets.items() if other != key_id})

    _change(folder, purpose, retired)


def _known(keys: RingKeys, key_id: str) -> str:
    if key_id not in keys.secrets:
        raise _refused(f"{keys.purpose} has no key {key_id}")
    return key_id


def _change(folder: Path, purpose: str, change: Callable[[RingKeys], RingKeys]) -> None:
    if purpose == IDS:
        raise _refused("keys of ids never rotate: every stored entity and emitted id would be another")
    path = path_of(folder, purpose)
    if path.parent != folder or not path.exists():
        raise _refused(f"{folder} has no ring {purpose}")
    with _alone(folder):
        write_private(path, change(read_ring(path, purpose)).content())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two changes at once: one after the other."""
    with os.fdopen(os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _refused(why: str) -> FailedPrecondition:
    return FailedPrecondition(why, reason="KEY_CHANGE_REFUSED")
