"""A Triton Inference Server with the models of one folder: that of models that decide, and one for each engine of language models.

Loopback only; models are loaded once at start, and the APIs that load models or map shared memory answer nobody. Triton cannot switch
those APIs off; it can ask for a header value, and nobody is told this one. The stub ignores PYTHONPATH and takes the first `python3` on
PATH as its own, so that must be the environment with numpy 1.26. A killed Triton leaves its shared memory behind: the next one removes
what carries its name.
"""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from localmesh.fetch import triton
from localmesh.fetch.once import UTF_8
from localmesh.health import HttpHealth
from localmesh.places import Places
from localmesh.ports import LOOPBACK
from localmesh.rows import Restart, Row

NO_LINKS: Mapping[str, Path] = MappingProxyType({})
RESTRICTED = "model-repository,shared-memory,trace,logging"


def tritonserver(
    places: Places,
    name: str,
    ports: Mapping[str, int],
    models: Path,
    prepare: Callable[[], None] = lambda: None,
    links: Mapping[str, Path] = NO_LINKS,
    start_timeout_s: float = 60.0,
    restart: Restart = Restart(),  # noqa: B008  a frozen value
) -> Row:
    """The row. `ports`: http, grpc, metrics and what the model itself listens on; `prepare` makes `models` before each start.

    `links`: what the model finds under plain names in its working folder, since its Python takes every other path for ASCII.
    """
    software, own = triton.fetch(places.stack), places.var / name
    closed = f"closed={secrets.token_hex(16)}"
    memory = f"finmesh-triton-{ports['grpc']}-"

    def prepared() -> None:
        for left in Path("/dev/shm").glob(f"{memory}*"):  # noqa: S108
            left.unlink(missing_ok=True)
        prepare()
        triton.lay_out(own, software, places.triton_python, models)
        for link, target in links.items():
            (own / link).symlink_to(target)

    return Row(
        name=name,
        command=(
            str(software / "bin" / "tritonserver"), "--model-repository=models", "--model-control-mode=none",
            "--backend-directory=backends", "--disable-auto-complete-config",
            f"--http-address={LOOPBACK}", f"--http-port={ports['http']}",
            f"--grpc-address={LOOPBACK}", f"--grpc-port={ports['grpc']}",
            f"--metrics-address={LOOPBACK}", f"--metrics-port={ports['metrics']}", "--allow-gpu-metrics=false",
            f"--http-restricted-api={RESTRICTED}:{closed}",
            f"--grpc-restricted-protocol={RESTRICTED}:{closed}",
            f"--backend-config=python,shm-region-prefix-name={memory}",
            "--pinned-memory-pool-byte-size=0", "--exit-timeout-secs=5", "--log-format=ISO8601",
        ),
        env=UTF_8 | {
            "PATH": f"{triton.PROGRAMS}:/usr/local/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": "lib:libpython",
            "OMP_NUM_THREADS": "1",
        },
        ports=dict(ports),
        health=HttpHealth(LOOPBACK, ports["http"], "/v2/health/ready"),
        prepare=prepared,
        cwd=own,
        start_timeout_s=start_timeout_s,
        restart=restart,
    )  # fmt: skip
