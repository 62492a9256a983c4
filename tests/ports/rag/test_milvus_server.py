"""The search that the local Milvus Lite server is given finds what its own finds."""

import json
import subprocess
from pathlib import Path

import localmesh
from localmesh.places import Places


def test_both_searches_find_the_same() -> None:
    python = Places.default().milvus_python / "bin" / "python"
    script = Path(__file__).with_name("milvus_lite_searches.py")
    done = subprocess.run(
        [python, script, str(Path(localmesh.__file__).parents[1])], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout.splitlines()[-1])
    assert counted["equal"] == counted["answers"] == 108
    assert 50 < counted["ours"] < 108


DAMAGED = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
from localmesh import milvus_server
from milvus_lite.index.brute_force import BruteForceIndex
folder = Path(sys.argv[2]) / "collections/c/partitions/_default/indexes"
folder.mkdir(parents=True)
index = BruteForceIndex.build(np.ones((3, 4), np.float32), None, "IP")
milvus_server.save(index, str(folder / "whole.vector.flat.idx"))
whole = (folder / "whole.vector.flat.idx").read_bytes()
for name, content in {"empty.vector.flat.idx": b"", "cut.vector.flat.idx": whole[:-5], "cut.vector.flat.idx.new": whole}.items():
    (folder / name).write_bytes(content)
milvus_server.remove_damaged(Path(sys.argv[2]))
assert len(BruteForceIndex.load(str(folder / "whole.vector.flat.idx"), "IP", 4)._vectors) == 3
print(*sorted(path.name for path in folder.iterdir()))
"""


def test_an_index_file_that_was_cut_short_keeps_no_collection_away(tmp_path: Path) -> None:
    """It is a copy of vectors: Milvus Lite makes it anew from the data, once it is gone."""
    python = Places.default().milvus_python / "bin" / "python"
    command = [python, "-c", DAMAGED, str(Path(localmesh.__file__).parents[1]), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout.split(), done.returncode) == (["whole.vector.flat.idx"], 0), done.stderr
