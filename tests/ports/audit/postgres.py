"""A PostgreSQL server of one test module: binaries from Maven Central, data in a scratch folder, trust on loopback alone.

PostgreSQL refuses to run as root; a root test run gives it to the user `nobody`.
"""

import os
import platform
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import zipfile
from pathlib import Path

import psycopg
from localmesh.fetch import jars, maven
from localmesh.fetch.once import once
from localmesh.ports import LOOPBACK, free_ports

NOBODY = 65534
_SYSTEM = {"Linux": "linux", "Darwin": "darwin"}
_MACHINE = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}


def fetch(stack: Path) -> Path:
    """Folder with `bin/postgres`."""
    kind = f"{_SYSTEM[platform.system()]}-{_MACHINE[platform.machine()]}"
    part = f"postgres-{kind}"
    return once(stack / f"postgres-{jars.version(part, f'embedded-postgres-binaries-{kind}')}", lambda folder: _build(folder, part))


def _build(folder: Path, part: str) -> None:
    (jar,) = maven.download(part, folder)
    with zipfile.ZipFile(jar) as archive:
        (packed,) = [name for name in archive.namelist() if name.endswith(".txz")]
        with archive.open(packed) as content, tarfile.open(fileobj=content, mode="r:xz") as tar:
            tar.extraction_filter = getattr(tarfile, "tar_filter", None)  # Debian 12's 3.11.2 has none
            tar.extractall(folder)
    jar.unlink()


class PrivatePostgres:
    """A running server with an empty database for each call of `url`."""

    def __init__(self, program: Path) -> None:
        self._bin = program / "bin"
        self._folder = Path(tempfile.mkdtemp(prefix="finmesh-postgres-"))
        self._port = free_ports(1)[0]
        self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self._user:
            os.chown(self._folder, NOBODY, NOBODY)
        self._databases = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._call("initdb", "-D", str(self._folder / "data"), "-U", "finmesh", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def start(self) -> None:
        """Returns when it accepts connections. Without fsync: what ends here is the server and never the machine."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._folder / "data", "-h", LOOPBACK, "-p", str(self._port), "-k", self._folder, "-F"],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._user,
            )
        self._wait()

    def _wait(self) -> None:
        pause = threading.Event()
        for _ in range(400):
            try:
                psycopg.connect(self._url("postgres")).close()
            except psycopg.OperationalError:
                pause.wait(0.05)
            else:
                return
        raise RuntimeError(f"postgres did not start: {(self._folder / 'log').read_text()}")

    def url(self) -> str:
        """URL of a new, empty database."""
        self._databases += 1
        name = f"log{self._databases}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def kill(self) -> None:
        """Ends every connection at once, as a crash would; data that was committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Ends it and removes its data."""
        self.kill()
        shutil.rmtree(self._folder)

    def _url(self, database: str) -> str:
        return f"postgresql://finmesh@{LOOPBACK}:{self._port}/{database}"

    def _call(self, name: str, *arguments: str) -> None:
        subprocess.run([self._bin / name, *arguments], check=True, capture_output=True, cwd=self._folder, **self._user)
