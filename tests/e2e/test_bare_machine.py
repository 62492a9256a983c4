"""Servers that are not ours start where nothing is installed: an empty environment, and a PATH on which nothing lies.

`deploy/local/fresh-debian` is the whole of it: an empty Debian, a user without rights, `make run`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from localmesh.places import ROOT

# How the package registries are reached is not the machine's software.
REGISTRIES = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "FINMESH_MAVEN_REPOSITORY")
PROGRAM = """
import asyncio, json, sys
from dataclasses import replace
from pathlib import Path

from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.servers import kafka_row, redis_row, zipkin_row
from localmesh.supervisor import Mesh
from redis.asyncio import Redis

SCRIPT = "return cmsgpack.pack({struct.unpack('<I', struct.pack('<I', tonumber(ARGV[1]))), ARGV[2]})"


async def main():
    places, ports = replace(Places.default(), var=Path(sys.argv[1])), Ports.free()
    rows = [kafka_row(places, ports), redis_row(places, ports), zipkin_row(places, ports)]
    async with Mesh(rows, places.var) as mesh, Redis(port=ports.redis) as redis:
        packed = await redis.eval(SCRIPT, 0, 7, "账")
        await redis.bgrewriteaof()
        maps = Path(f"/proc/{mesh.pid('redis')}/maps")
        print(json.dumps({
            "programs": {row.name: row.command[0] for row in rows},
            "packed": packed.hex(),
            "states": {name: slot.state.value for name, slot in mesh.slots.items()},
            "maps": maps.read_text() if maps.exists() else "libmimalloc",
        }))


asyncio.run(main())
"""


def test_kafka_redis_and_zipkin_start_with_nothing_on_path(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    passed = {name: value for name, value in os.environ.items() if name.startswith(REGISTRIES)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "我的 文件")],
        env={"PATH": str(nothing), "HOME": str(tmp_path)} | passed,
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["states"] == {"kafka": "ready", "redis": "ready", "zipkin": "ready"}
    assert all(Path(program).is_relative_to(ROOT / ".stack") for program in found["programs"].values())
    assert found["packed"] == "9207a3" + "账".encode().hex()
    assert "libmimalloc" in found["maps"]
