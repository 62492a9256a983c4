"""The encoder of texts behind a Triton of its own: text to word pieces here, pieces to vectors there.

Batches are of texts of like length and of at most 1,024 pieces; few are under way at once, and a question goes before passages there
(`engine.encoder`). Surprising: a vector is no evidence of what made it. Each answer names the encoder, and one of another encoder is
refused: its vectors would be near to nothing of ours, silently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from engine.encoder import manifest as manifests
from engine.encoder.manifest import Manifest
from engine.llm.fields import MalformedManifestError
from engine.llm.model_files import TOKENIZER, WrongFileError
from meshkit.errors import DeadlineExceeded, InvalidArgument, InvalidDocument, Unavailable
from meshkit.threads import Look, on_thread
from meshkit.triton.client import Tensors, TritonClient
from numpy.typing import NDArray
from tokenizers import Tokenizer

from rag.ports import Kind

MODEL = "encoder"
BATCH_PIECES = 1_024
_UNDER_WAY = {Kind.QUERY: 8, Kind.PASSAGE: 2}
_SLICE, _INLINE_CHARACTERS = 32, 4_096
_PIECE_CHARACTERS = 64  # more of a text than so many for each piece is not looked at
_SHA256_BYTES = 32


class TritonEncoder:
    """``identity``: digest of the encoder's manifest. Belongs to one event loop."""

    def __init__(self, client: TritonClient, folder: Path, *, timeout_s: float) -> None:
        """Read manifest and tokenizer; a question waits a tenth of ``timeout_s``. Raises InvalidDocument (ENCODER_INVALID)."""
        try:
            self._manifest: Manifest = manifests.read(folder)
            self._tokenizer = Tokenizer.from_str(self._manifest.content(folder, TOKENIZER).decode("utf-8"))
        except (MalformedManifestError, WrongFileError) as error:
            raise InvalidDocument(str(error), reason="ENCODER_INVALID") from error
        except Exception as error:  # whatever `tokenizers` finds wrong with a file is a bare Exception
            raise InvalidDocument(f"{TOKENIZER}: {error}", reason="ENCODER_INVALID") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._manifest.max_tokens)
        self.identity, self.dimension = self._manifest.digest, self._manifest.dimension
        self._client, self._sha256 = client, bytes.fromhex(self._manifest.digest)
        self._timeout_s = {Kind.QUERY: timeout_s / 10, Kind.PASSAGE: timeout_s}
        self._rooms = {kind: asyncio.Semaphore(count) for kind, count in _UNDER_WAY.items()}

    async def pieces(self, texts: Sequence[str], kind: Kind) -> list[NDArray[np.int64]]:
        """Return the ids of each text as the encoder reads them: with its prefix, begin and end, and no more than fit."""
        if sum(map(len, texts)) <= _INLINE_CHARACTERS:
            return self._tokenised(texts, kind)

        def work(look: Look) -> list[NDArray[np.int64]]:
            found: list[NDArray[np.int64]] = []
            for at in range(0, len(texts), _SLICE):
                look()
                found += self._tokenised(texts[at : at + _SLICE], kind)
            return found

        return await on_thread(work)

    async def encode(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        """Return (n, dimension) float32 rows of length 1. Raises Unavailable (ENCODER_UNAVAILABLE, ENCODER_NOT_OURS)."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        rows = await self.pieces(texts, kind)

        async def run(places: Sequence[int]) -> None:
            async with self._rooms[kind]:
                vectors[places] = await self._asked([rows[at] for at in places], kind)

        try:
            async with asyncio.TaskGroup() as group:
                for places in batches([len(row) for row in rows]):
                    group.create_task(run(places))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return vectors

    def _tokenised(self, texts: Sequence[str], kind: Kind) -> list[NDArray[np.int64]]:
        prefix = self._manifest.prefixes.query if kind is Kind.QUERY else self._manifest.prefixes.passage
        most = self._manifest.max_tokens * _PIECE_CHARACTERS
        encoded = self._tokenizer.encode_batch_fast([prefix + plain(text, most) for text in texts])
        return [np.array(each.ids, np.int64) for each in encoded]

    async def _asked(self, rows: Sequence[NDArray[np.int64]], kind: Kind) -> NDArray[np.float32]:
        ids = np.full((len(rows), max(map(len, rows))), self._manifest.pad_id, np.int64)
        mask = np.zeros(ids.shape, np.int64)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = row
            mask[at, : len(row)] = 1
        tensors = {"IDS": ids, "MASK": mask, "IS_QUERY": np.array([kind is Kind.QUERY])}
        try:
            answer = await self._client.infer(MODEL, "", tensors, self._timeout_s[kind])
        except (DeadlineExceeded, InvalidArgument, Unavailable) as error:
            raise Unavailable(f"the encoder does not answer: {error}", reason="ENCODER_UNAVAILABLE") from error
        return self._checked(answer, len(rows))

    def _checked(self, answer: Tensors, count: int) -> NDArray[np.float32]:
        made_by, vectors = answer.get("MODEL_SHA256"), answer.get("VECTORS")
        if made_by is None or made_by.dtype != np.uint8 or made_by.shape != (_SHA256_BYTES,) or made_by.tobytes() != self._sha256:
            raise Unavailable("another encoder answered", reason="ENCODER_NOT_OURS")
        if vectors is None or vectors.dtype != np.float32 or vectors.shape != (count, self.dimension) or not np.isfinite(vectors).all():
            raise Unavailable("the encoder's answer is no vectors", reason="ENCODER_UNAVAILABLE")
        return vectors


def batches(lengths: Sequence[int], most_pieces: int = BATCH_PIECES) -> Iterator[list[int]]:
    """Yield places of texts of like length, shortest first; side by side, as wide as the longest, they are at most ``most_pieces``."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[place] * (len(batch) + 1) > most_pieces:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def plain(text: str, most: int) -> str:
    """Return at most ``most`` code points without runs of white space; halves of surrogate pairs, which are no text, become U+FFFD."""
    return " ".join(text.split())[:most].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
