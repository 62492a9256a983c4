"""Run by Milvus Lite's own Python: its search and ours side by side, over files, rows that are in none yet, copies of keys, filters.

Prints how many answers were equal, and how many of them our search gave itself.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(sys.argv[1])))  # deploy/local

from localmesh import milvus_server
from milvus_lite.db import MilvusLite
from milvus_lite.engine import collection as engine
from milvus_lite.schema.types import CollectionSchema, DataType, FieldSchema

FIELDS = [
    FieldSchema(name="chunk_id", dtype=DataType.INT64, is_primary=True),
    FieldSchema(name="access_id", dtype=DataType.INT64),
    FieldSchema(name="vector", dtype=DataType.FLOAT_VECTOR, dim=16),
]
theirs, passed_on = milvus_server.their_search, 0


def counted(*args: Any, **kwargs: Any) -> Any:
    global passed_on
    passed_on += 1
    return theirs(*args, **kwargs)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return (one["id"], one["entity"]) == (other["id"], other["entity"]) and abs(one["distance"] - other["distance"]) < 1e-4


def main() -> None:
    source, equal, answers = np.random.default_rng(7), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        store = MilvusLite(folder)
        collection = store.create_collection("t", CollectionSchema(fields=FIELDS))
        collection.create_index("vector", {"index_type": "FLAT", "metric_type": "IP", "params": {}})
        collection.load()
        for step in range(12):
            keys = source.integers(0, 400, 60)
            rows = source.standard_normal((60, 16)).astype(np.float32)
            collection.upsert(
                [{"chunk_id": int(key), "access_id": int(key) % 5, "vector": row.tolist()} for key, row in zip(keys, rows, strict=True)]
            )
            if step % 4 != 3:  # what is in no file yet stands there for one round
                collection.flush()
            if step == 10:
                collection.delete([int(keys[0])])
                collection.flush()
            for expr in (None, "access_id in [1,3]", "access_id in [9]"):
                for top_k in (1, 7, 500):
                    question = [source.standard_normal(16).astype(np.float32).tolist()]
                    given = []
                    for used in (theirs, milvus_server.search):
                        engine.execute_search_with_index = used
                        hits = collection.search(question, top_k=top_k, metric_type="IP", expr=expr, output_fields=["access_id"])[0]
                        given.append(hits)
                    answers += 1
                    equal += all(map(same, *given)) and len(given[0]) == len(given[1])
        store.close()
    print(json.dumps({"answers": answers, "equal": equal, "ours": answers - passed_on}))


milvus_server.their_search = counted
main()
