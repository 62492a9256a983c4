"""OpenVINO GenAI as a second vendor, in a Triton of its own: SmolLM2's GGUF of the stack, through the port. `make test-openvino`."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from backends.accelerators import read
from backends.fronted import fronted
from engine.llm import manifest
from engine.llm.foreign import ForeignManifest
from engine.llm.manifest import Source
from engine.llm.model_files import TOKENIZER
from finmesh.inference.v1 import generation_pb2
from localmesh.fetch import smollm2
from localmesh.places import Places
from localmesh.ports import LOOPBACK, free_ports
from localmesh.supervisor import Mesh
from localmesh.tritonserver import tritonserver
from tokenizers import Tokenizer

from tests.stack import Stack

from .asking import answer, to_decode
from .conftest import Pair, in_touch

ENVIRONMENT = Path(".venv-openvino")
pytestmark = pytest.mark.stack
QUESTION = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"


def foreign(model: Path) -> ForeignManifest:
    """The same text, other numbers: its reader of GGUF makes weights of its own, so that greedy answers part ways after some tokens."""
    own = manifest.read(model)
    return ForeignManifest(
        name="smollm2-135m-openvino",
        architecture=own.architecture,
        files={TOKENIZER: own.tokenizer_digest},
        vocabulary=own.vocabulary,
        max_position=own.max_position,
        end_ids=own.end_ids,
        bos_id=own.bos_id,
        template=None,
        tool_format=None,
        source=Source(f"{own.source.name}, read by openvino-genai", own.source.digest),
        licence=own.licence,
        max_len=own.max_len,
    )


@pytest.fixture(scope="module")
def model() -> Path:
    return Places.default().llm_model


@pytest.fixture
async def openvino(stack: Stack, model: Path, tmp_path: Path) -> AsyncIterator[Pair]:
    places = replace(stack.places, root=tmp_path, var=tmp_path / "var")
    places.triton_python.symlink_to(ENVIRONMENT.resolve())
    ports = dict(zip(("http", "grpc", "metrics"), free_ports(3), strict=True))
    gguf = smollm2.fetch(stack.places.stack) / "model.gguf"
    repository = Path(__file__).parents[3] / "models" / "openvino"
    triton = tritonserver(places, "triton-openvino", ports, repository, links={"openvino-model": gguf}, start_timeout_s=180)
    fields = {
        "name": "openvino-0",
        "kind": "openvino",
        "url": f"{LOOPBACK}:{ports['grpc']}",
        "roles": ["generate"],
        "vendor": "intel",
        "device": "cpu",
        "model": "smollm2-135m-openvino",
        "model_digest": foreign(model).digest,
        "rows": 1,
        "max_len_tokens": 2048,
        "zone": "local",
        "highest_grade": "L3",
    }
    path = tmp_path / "accelerators.yaml"
    path.write_text(json.dumps({"version": "1", "accelerators": [fields]}), encoding="utf-8")
    async with Mesh([triton], places.var):
        (engine,) = fronted(read(path).of("generate"), "llm_decode", None)
        async with in_touch(engine) as feed:
            yield Pair("oip", engine, engine, feed)


async def test_it_answers_greedily_by_seed_and_goes_on(openvino: Pair, model: Path) -> None:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    ids = tokenizer.encode(QUESTION, add_special_tokens=False).ids
    ended = {"bounds": generation_pb2.Bounds(max_output_tokens=24)}
    events, told = await answer(openvino, to_decode(openvino, ids, **ended))
    text = tokenizer.decode([token for _, token in told])
    assert "Paris" in text
    assert (events[-2].reason, events[-1].prompt_tokens, events[-1].accelerator) == (
        generation_pb2.FINISH_REASON_STOP,
        len(ids),
        "intel/cpu",
    )
    _, again = await answer(openvino, to_decode(openvino, ids, **ended))
    assert again == told
    emitted = [{"choice": 0, "token_ids": [token for _, token in told[:4]]}]
    _, rest = await answer(openvino, to_decode(openvino, ids, emitted=emitted, **ended))
    assert [*told[:4], *rest][:6] == told[:6]
    drawn = [generation_pb2.Sampling(choices=1, temperature=1, seed=seed) for seed in (1, 1, 2)]
    first, same, other = [(await answer(openvino, to_decode(openvino, ids, sampling=each)))[1] for each in drawn]
    assert first == same != other
    begun_s = time.monotonic()
    _, long = await answer(openvino, to_decode(openvino, ids, 64))
    print(f"\nopenvino-genai: {text!r}; {len(long) / (time.monotonic() - begun_s):.1f} tokens/s at batch 1")
    await openvino.free()
