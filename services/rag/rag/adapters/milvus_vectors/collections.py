"""Collections of Milvus: an alias for each tenant and encoder, which leads to one collection; vectors of two encoders never meet.

Surprising: rows are taken out by copying what stays into a new collection, turning the alias and dropping the old one, because Milvus
Lite's compaction answers success and does nothing. Killed in between, the old collection stands, and the next change drops the copy.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from meshkit.errors import FailedPrecondition
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from rag.adapters.milvus_vectors.filters import SCALARS
from rag.adapters.milvus_vectors.link import NOT_FOUND, NOT_LOADED

EXACT_BELOW = 50_000
"""Rows from which a server's collection gets a graph. Milvus Lite is searched exactly at any size: a graph saves it little."""

VECTOR = "vector"
EXACT: dict[str, Any] = {"index_type": "FLAT"}
GRAPH: dict[str, Any] = {"index_type": "HNSW", "params": {"M": 16, "efConstruction": 200}}
_BATCH = 500  # rows of a request: about 1 MiB
_PAGE = 1_000

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Collections:
    """Blocking: on a thread."""

    def __init__(self, prefix: str, identity: str, dimension: int, timeout_s: float) -> None:
        self._prefix, self._identity, self._dimension, self._timeout_s = prefix, identity, dimension, timeout_s
        self.known: set[str] = set()

    def alias(self, tenant: str) -> str:
        """Return the name under which a tenant's collection is used."""
        return f"{self._prefix}_{_digest(tenant)}_{_digest(self._identity)}"

    def found(self, client: MilvusClient, alias: str) -> str:
        """Return what an alias leads to, empty for nothing. Raises FailedPrecondition (VECTORS_OF_ANOTHER_ENCODER)."""
        try:
            name = str(client.describe_alias(alias, timeout=self._timeout_s)["collection_name"])
            fields = client.describe_collection(name, timeout=self._timeout_s)["fields"]
        except MilvusException as error:
            if error.code in NOT_FOUND:
                return ""
            raise
        dimensions = [int(field["params"]["dim"]) for field in fields if field["name"] == VECTOR]
        if dimensions != [self._dimension]:
            message = f"a collection with vectors of {dimensions}, and the encoder makes {self._dimension}"
            raise FailedPrecondition(message, reason="VECTORS_OF_ANOTHER_ENCODER")
        self.known.add(alias)
        return name

    def loaded(self, client: MilvusClient, name: str, work: Callable[[], _Result]) -> _Result:
        """Do what can be done twice, and do it again with the collection loaded: a Milvus that began anew keeps all and has none loaded."""
        try:
            return work()
        except MilvusException as error:
            if error.code not in NOT_LOADED:
                raise
            client.load_collection(name, timeout=self._timeout_s)
            return work()

    def ensure(self, client: MilvusClient, tenant: str) -> str:
        """Return a tenant's alias; make its collection when there is none."""
        alias = self.alias(tenant)
        if not self.found(client, alias):
            client.create_alias(self._create(client, alias, EXACT), alias, timeout=self._timeout_s)
            self.drop_unused(client, alias)
            self.known.add(alias)
        return alias

    def write(self, client: MilvusClient, name: str, rows: Sequence[dict[str, Any]], partial: bool = False) -> None:
        """Write rows; when partial, the fields that they have."""
        for some in batches(rows):
            client.upsert(name, list(some), timeout=self._timeout_s, **({"partial_update": True} if partial else {}))

    def rows(self, client: MilvusClient, name: str, expr: str, fields: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        """Return the rows that a filter selects, in pages."""
        iterator = client.query_iterator(name, batch_size=_PAGE, filter=expr, output_fields=list(fields), timeout=self._timeout_s)
        try:
            while page := iterator.next():
                yield [{field: row[field] for field in fields} for row in page]
        finally:
            iterator.close()

    def rewrite(self, client: MilvusClient, alias: str, kept: str, index: dict[str, Any], *, flush: bool) -> None:
        """Copy the rows that a filter selects into a new collection, turn the alias, drop the old one."""
        new = self._create(client, alias, index)
        for page in self.rows(client, alias, kept, ["chunk_id", *SCALARS, VECTOR]):
            self.write(client, new, page)
        if flush:
            client.flush(new, timeout=self._timeout_s)
        client.alter_alias(new, alias, timeout=self._timeout_s)
        self.drop_unused(client, alias)

    def drop_unused(self, client: MilvusClient, alias: str) -> None:
        """Drop collections that an alias had before, or should have had."""
        current = self.found(client, alias)
        for name in client.list_collections(timeout=self._timeout_s):
            if name.startswith(f"{alias}_") and name != current:
                client.drop_collection(name, timeout=self._timeout_s)

    def is_exact(self, client: MilvusClient, alias: str) -> bool:
        """Whether it is searched without a graph."""
        return bool(client.describe_index(alias, VECTOR, timeout=self._timeout_s)["index_type"] == EXACT["index_type"])

    def position(self, client: MilvusClient) -> int:
        """Return the sequence that was settled last; 0 where nothing was, as when Milvus lost its data."""
        name = self._position_name()
        if not client.has_collection(name, timeout=self._timeout_s):
            return 0

        def work() -> list[dict[str, Any]]:
            return list(client.query(name, filter="chunk_id == 0", output_fields=["seq"], timeout=self._timeout_s))

        found = self.loaded(client, name, work)
        return int(found[0]["seq"]) if found else 0

    def settle(self, client: MilvusClient, seq: int) -> None:
        """Write the sequence up to which everything is in."""
        name = self._position_name()
        if not client.has_collection(name, timeout=self._timeout_s):
            self._make(client, name, ("seq",), 2, EXACT)
        row = {"chunk_id": 0, "seq": seq, VECTOR: [1.0, 0.0]}
        self.loaded(client, name, lambda: client.upsert(name, [row], timeout=self._timeout_s))

    def _position_name(self) -> str:
        return f"{self._prefix}_position_{_digest(self._identity)}"

    def _create(self, client: MilvusClient, alias: str, index: dict[str, Any]) -> str:
        return self._make(client, f"{alias}_{uuid.uuid4().hex[:8]}", SCALARS, self._dimension, index)

    def _make(self, client: MilvusClient, name: str, scalars: Sequence[str], dimension: int, index: dict[str, Any]) -> str:
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("chunk_id", DataType.INT64, is_primary=True)
        for scalar in scalars:
            schema.add_field(scalar, DataType.INT64)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dimension)
        indexes = client.prepare_index_params()
        indexes.add_index(VECTOR, metric_type="IP", **index)
        client.create_collection(name, schema=schema, index_params=indexes, consistency_level="Strong", timeout=self._timeout_s)
        return name


def batches(rows: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Cut rows into what one request carries."""
    return (rows[begin : begin + _BATCH] for begin in range(0, len(rows), _BATCH))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
