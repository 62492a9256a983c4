"""Milvus Lite's server with two functions replaced: the search, and how index files are written. Runs in `.venv-milvus`, by its path.

It takes the arguments of `milvus-lite server`.

Milvus Lite 3.2 walks over every row of a collection in Python on every search, to see which copy of a key is the newest: 166 ms of
processor at 100,000 rows, of which the vectors take 10. Which rows are the newest follows from the files alone, and those never change:
it is found once for a set of files and kept. Whatever is not our case (rows that are in no file yet, deleted rows, a graph, another
measure, several questions) is left to Milvus Lite's own search.

Its index files are copies of vectors beside the data. It writes them in place, and one that was cut short by the end of the process
keeps its collection from ever being loaded again: here they are written beside and renamed, and damaged ones are removed at the start and
made anew.
"""

import os
import signal
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from milvus_lite import cmdline
from milvus_lite.engine import collection
from milvus_lite.index.brute_force import BruteForceIndex
from milvus_lite.search.executor_indexed import execute_search_with_index
from milvus_lite.search.indexed_filter import evaluate_segment_filter
from numpy.typing import NDArray

their_search = execute_search_with_index
_REMEMBERED = 32
_newest: "OrderedDict[tuple[str, ...], list[NDArray[np.bool_]]]" = OrderedDict()


def search(query_vectors: NDArray[np.float32], segments: Any, memtable: Any, delta_index: Any, **asked: Any) -> list[list[dict[str, Any]]]:
    """As `execute_search_with_index`, whose arguments these are: the same rows in the same order."""
    files = [segment for segment in segments if segment.num_rows]
    if not _is_ours(query_vectors, files, memtable, delta_index, asked):
        return list(their_search(query_vectors, segments, memtable, delta_index, **asked))
    found: list[tuple[float, int, int]] = []
    for number, (file, newest) in enumerate(zip(files, _newest_of(files), strict=True)):
        wanted = newest
        if asked.get("compiled_filter") is not None:
            wanted = newest & evaluate_segment_filter(file, asked["compiled_filter"], asked.get("indexed_filter_plan")).astype(bool)
        distance = -(file.vector_data(asked["vector_field"])[0] @ query_vectors[0])
        distance[~wanted] = np.inf
        best = np.argpartition(distance, min(asked["top_k"], len(distance)) - 1)[: asked["top_k"]]
        found += [(float(distance[row]), number, int(row)) for row in best if wanted[row]]
    found = sorted(found)[: asked["top_k"]]
    records = {
        (number, row): record
        for number, file in enumerate(files)
        if (rows := [row for _, of, row in found if of == number])
        for row, record in zip(rows, _records(file, rows, asked["vector_field"]), strict=True)
    }
    return [
        [
            {"id": record[asked["pk_field"]], "distance": distance_, "entity": asked["project_record_fn"](record)}
            for distance_, number, row in found
            for record in (records[number, row],)
        ]
    ]


def _records(file: Any, rows: list[int], vector_field: str) -> list[dict[str, Any]]:
    """Rows without their vectors, which nobody asks for."""
    table = file.table.select([name for name in file.table.schema.names if name not in ("_seq", vector_field)])
    return list(table.take(rows).to_pylist())


def _is_ours(query_vectors: NDArray[np.float32], files: list[Any], memtable: Any, delta_index: Any, asked: dict[str, Any]) -> bool:
    field = asked["vector_field"]
    return (
        query_vectors.ndim == 2
        and len(query_vectors) == 1
        and query_vectors.dtype == np.float32
        and asked["top_k"] > 0
        and asked["metric_type"] == "IP"
        and not asked.get("partition_names")
        and asked.get("project_record_fn") is not None
        and field not in (asked.get("output_fields") or [field])
        and not memtable.to_search_snapshot(vector_field=None)[0]
        and not memtable.delete_index_snapshot()
        and not len(delta_index)
        and all(
            isinstance(file.pks[0], int)
            and "$meta" not in file.table.schema.names
            and file.vector_data(field)[1] is None
            and isinstance(file.indexes.get(field), BruteForceIndex | None)
            for file in files
        )
    )


def _newest_of(files: list[Any]) -> list[NDArray[np.bool_]]:
    """Which rows of each file are the newest of their key. Files never change: their names say all."""
    names = tuple(file.file_path for file in files)
    if names not in _newest:
        keys = np.concatenate([np.asarray(file.pks, np.int64) for file in files] or [np.zeros(0, np.int64)])
        sequences = np.concatenate([file.seqs for file in files] or [np.zeros(0, np.uint64)])
        order = np.lexsort((sequences, keys))
        last = np.append(keys[order][1:] != keys[order][:-1], True)[: len(keys)]
        newest = np.zeros(len(keys), bool)
        newest[order[last]] = True
        ends = np.cumsum([file.num_rows for file in files])
        _newest[names] = np.split(newest, ends[:-1]) if files else []
        while len(_newest) > _REMEMBERED:
            _newest.popitem(last=False)
    return _newest[names]


def save(index: BruteForceIndex, path: str) -> None:
    """As `BruteForceIndex.save`, but whole or not at all."""
    beside = f"{path}.new"
    with open(beside, "wb") as file:  # noqa: PTH123
        np.save(file, index._vectors, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    Path(beside).replace(path)


def remove_damaged(data: Path) -> None:
    """Remove index files that can't be read, and those that were being written: they are made anew from the data."""
    for path in data.glob("collections/*/partitions/*/indexes/*.flat.idx*"):
        try:
            if path.name.endswith(".new"):
                raise ValueError("it was being written")
            np.load(path, mmap_mode="r", allow_pickle=False)
        except (EOFError, OSError, ValueError):
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    collection.execute_search_with_index = search
    BruteForceIndex.save = save
    remove_damaged(Path(sys.argv[sys.argv.index("--data-dir") + 1]))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as by Ctrl-C: what is in memory goes into a file
    sys.exit(cmdline.main(["server", *sys.argv[1:]]))
