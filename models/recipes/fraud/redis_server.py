"""A private redis-server for one training: a Unix socket in a scratch folder, nothing kept, gone afterwards."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localmesh.fetch import redis

_START_S = 10.0


@contextmanager
def private_redis(stack: Path) -> Iterator[str]:
    """Run a server until the block ends; yields its URL. Raises RuntimeError when it won't start.

    `stack` is the folder of downloaded software.
    """
    program = redis.fetch(stack)
    with tempfile.TemporaryDirectory(prefix="finmesh-train-") as folder:
        path = Path(folder) / "redis.sock"
        command = [str(program), "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", folder]
        log = Path(folder) / "redis.log"
        with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as server:
            try:
                deadline = time.monotonic() + _START_S
                while not path.exists():
                    if server.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError(f"redis-server did not start: {log.read_text()[-500:]}")
                    time.sleep(0.02)
                yield f"unix://{path}"
            finally:
                server.terminate()
