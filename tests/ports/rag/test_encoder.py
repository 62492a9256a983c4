"""The port `Encoder`, on its Triton: vectors of length 1, the same whatever is encoded beside, from the encoder that was asked for."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from encoder import tiny
from engine.encoder import manifest as manifests
from engine.encoder.session import EncoderSession
from meshkit.errors import InvalidArgument, MeshError, Unavailable
from meshkit.triton.client import TritonClient
from rag.adapters.triton_encoder import MODEL, TritonEncoder
from rag.ports import Encoder, Kind

from tests.stack import Stack

pytestmark = pytest.mark.stack
TEXTS = [
    "the bank approves the payment",
    "银行批准付款",
    "保险 payment 12%",
    "",
    "x" * 100_000,
    "我们的条款" * 20_000,
    "a\x00b",
    "\ud800 付款 \udc00",
    "на",
]


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[TritonClient]:
    async with TritonClient(stack.encoder) as client:
        yield client


@pytest.fixture
def encoder(stack: Stack, client: TritonClient) -> Encoder:
    return TritonEncoder(client, stack.encoder_model, timeout_s=20.0)


@pytest.mark.parametrize("kind", Kind)
async def test_any_text_has_a_vector_of_length_one(encoder: Encoder, kind: Kind) -> None:
    vectors = await encoder.encode(TEXTS, kind)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


async def test_no_texts_have_no_vectors(encoder: Encoder) -> None:
    assert (await encoder.encode([], Kind.PASSAGE)).shape == (0, encoder.dimension)


async def test_vectors_are_those_of_the_graph(stack: Stack, client: TritonClient) -> None:
    """Through Triton, its queue and batches: what the same folder gives in process, text by text."""
    encoder = TritonEncoder(client, stack.encoder_model, timeout_s=20.0)
    session = EncoderSession(stack.encoder_model, manifests.read(stack.encoder_model))
    texts = [text * count for count in (1, 3, 9) for text in TEXTS[:3]] * 30
    vectors = await encoder.encode(texts, Kind.PASSAGE)
    alone = [session.encode([row])[0] for row in await encoder.pieces(texts, Kind.PASSAGE)]
    np.testing.assert_allclose(vectors, np.stack(alone), atol=2e-6)


async def test_questions_and_passages_have_prefixes_of_their_own(encoder: Encoder) -> None:
    query, passage = [await encoder.encode(["银行"], kind) for kind in Kind]
    assert float(query[0] @ passage[0]) < 0.9999


async def test_questions_are_answered_while_passages_are_encoded(encoder: Encoder) -> None:
    passages = asyncio.create_task(encoder.encode(["the bank 付款 " * 30] * 3_000, Kind.PASSAGE))
    done = 0
    while not passages.done():
        await encoder.encode([f"付款 {done}"], Kind.QUERY)
        done += 1
    assert len(await passages) == 3_000
    assert done >= 3


async def test_the_identity_is_that_of_the_folder(stack: Stack, encoder: Encoder) -> None:
    assert encoder.identity == manifests.read(stack.encoder_model).digest
    assert encoder.dimension == tiny.HIDDEN


async def test_another_encoder_is_refused(stack: Stack, client: TritonClient, tmp_path: Path) -> None:
    other = TritonEncoder(client, tiny.make(tmp_path, seed=2), timeout_s=20.0)
    with pytest.raises(Unavailable) as caught:
        await other.encode(["付款"], Kind.QUERY)
    assert caught.value.reason == "ENCODER_NOT_OURS"


@pytest.mark.parametrize(
    ("ids", "mask"),
    [
        ([[0, 1 << 40]], [[1, 1]]), ([[0, -1]], [[1, 1]]), ([[0, 2]], [[0, 1]]), ([[0, 2]], [[0, 0]]),
        ([[0] * 129], [[1] * 129]), ([[0, 2]], [[1, 1], [1, 1]]), (np.zeros((0, 4)), np.zeros((0, 4))), ([[0, 2]], [[2, 0]]),
    ],
)  # fmt: skip
async def test_what_is_no_text_is_refused_and_hurts_nobody(client: TritonClient, encoder: Encoder, ids: object, mask: object) -> None:
    tensors = {"IDS": np.array(ids, np.int64), "MASK": np.array(mask, np.int64), "IS_QUERY": np.array([True])}
    with pytest.raises(InvalidArgument):
        await client.infer(MODEL, "", tensors, 10.0)
    assert len(await encoder.encode(["付款"], Kind.QUERY)) == 1


async def test_a_killed_encoder_is_unavailable_and_comes_back(stack: Stack, encoder: Encoder) -> None:
    before = await encoder.encode(["付款"], Kind.QUERY)
    passages = asyncio.create_task(encoder.encode(["the bank 付款 " * 30] * 3_000, Kind.PASSAGE))
    await encoder.encode(["付款"], Kind.QUERY)
    os.kill(stack.pid_of("triton-encoder"), signal.SIGKILL)
    with pytest.raises(Unavailable) as caught:
        await passages
    assert caught.value.reason == "ENCODER_UNAVAILABLE"
    async with asyncio.timeout(60):
        while True:
            try:
                after = await encoder.encode(["付款"], Kind.QUERY)
                break
            except MeshError as error:
                assert error.reason == "ENCODER_UNAVAILABLE"
                await asyncio.sleep(0.1)
    np.testing.assert_array_equal(before, after)
