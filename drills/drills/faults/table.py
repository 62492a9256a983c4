"""The process table of a campaign, and the folder that it runs in.

Surprising: our services are started without waiting for what they need, because any order of start and restart must work.
"""

import datetime as dt
import shutil
import sys
from dataclasses import replace

from localmesh.external import External
from localmesh.health import RedisHealth
from localmesh.places import Places
from localmesh.ports import LOOPBACK, free_ports
from localmesh.processes import table, without_language_models
from localmesh.rows import Row
from localmesh.servers import redis_row

from drills.bankday.site import Site
from drills.faults.inject import PROXY, Cut

KEPT_FOLDERS = 3
_OURS = ("audit", "risk-stream", "risk-rpc", "gateway")
_OLD_SOON = {"FINMESH_COMPACT_DECISIONS": "true", "FINMESH_COMPACT_AFTER_S": "2"}  # rule D25, in the seconds that a campaign has


def table_of(site: Site, cut: Cut, seed: int) -> list[Row]:
    """The process table with a proxy before Redis, without the tracing screen and language models, and in no order among our services."""
    proxy_port = free_ports(1)[0]
    redis = redis_row(site.places, site.ports)
    prepare = redis.prepare or (lambda: None)
    proxy = Row(
        name=PROXY,
        command=(sys.executable, "-m", "drills.faults.slow", str(proxy_port), str(site.ports.redis), str(seed)),
        ports={"redis": proxy_port},
        needs=("redis",),
        health=RedisHealth(LOOPBACK, proxy_port),
    )

    def prepared() -> None:
        prepare()
        cut.apply()

    rows = without_language_models(table(site.places, site.ports, External(redis=f"redis://{LOOPBACK}:{proxy_port}/0")))
    ours = [
        replace(row, needs=(), env={**row.env, "OTEL_TRACES_EXPORTER": "none", **(_OLD_SOON if row.name.startswith("risk-") else {})})
        if row.name in _OURS
        else row
        for row in rows
        if row.name != "zipkin"
    ]
    return [replace(redis, prepare=prepared), proxy, *ours]


def own_folder(places: Places) -> Places:
    """A folder of its own below `faults`; of the older ones the newest few stay."""
    runs = places.var / "faults"
    for path in sorted(runs.glob("*"))[: -(KEPT_FOLDERS - 1)]:
        shutil.rmtree(path, ignore_errors=True)
    own = runs / f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S-%f}"
    own.mkdir(parents=True)
    return replace(places, var=own)
