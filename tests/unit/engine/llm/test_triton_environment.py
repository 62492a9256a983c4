"""The engine inside Triton's environment (numpy 1.26, no tokenizers, no onnx) gives what it gives here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
from engine.llm.generation import ChoiceStart, Sampling, Token
from engine.llm.limits import Limits
from engine.llm.loading import load
from llm import tiny

from .driver import NAMESPACE, Driver, asked, prompt

ROOT = Path(__file__).parents[4]
SCHEMA = '{"type": "object", "properties": {"风险": {"enum": ["高", "低"]}}, "required": ["风险"]}'
PROGRAM = """
import json, sys
import numpy
from engine.llm.engine import Engine
from engine.llm.generation import ChoiceStart, Generation, Sampling, Token
from engine.llm.limits import Limits
from engine.llm.loading import load
from pathlib import Path

asked = json.load(sys.stdin)
engine = Engine(load(Path(asked["model"]), threads=1), Limits(rows=4, max_len=512, chunk_tokens=64))
for number, each in enumerate(asked["requests"]):
    sampling = Sampling(**each.pop("sampling"))
    starts = tuple(ChoiceStart(choice) for choice in range(each.pop("choices")))
    engine.submit(Generation(str(number), namespace=bytes(range(32)), sampling=sampling, choices=starts, **each))
told = []
while engine.load().rows_used or engine.load().queued:
    told += [[event.request_id, event.choice, event.index, event.token] for event in engine.step() if isinstance(event, Token)]
print(json.dumps({"numpy": numpy.__version__, "held": engine.held(), "told": told}))
"""


def test_it_gives_the_same_tokens(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path / "models", tiny.Tiny(weights="int4", accuracy_level=4))
    requests = [
        {"tokens": prompt(70), "max_tokens": 20, "sampling": {}, "choices": 1, "ignore_end": True},
        {"tokens": prompt(70), "max_tokens": 20, "sampling": {"seed": 1 << 63, "temperature": 1.1, "top_p": 0.9}, "choices": 2},
        {"tokens": prompt(9), "max_tokens": 30, "sampling": {"seed": 5, "temperature": 2.0}, "choices": 1, "form": SCHEMA},
        {"tokens": prompt(1), "max_tokens": 20, "sampling": {"temperature": 0.7, "top_k": 9, "logprobs": True}, "choices": 1},
    ]
    content = json.dumps({"model": str(folder), "requests": requests})
    python = ROOT / ".venv-triton/bin/python"
    done = subprocess.run([python, "-c", PROGRAM], input=content, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout)
    assert there["numpy"].startswith("1.26")
    assert there["held"] == []
    driver = Driver(Limits(rows=4, max_len=512, chunk_tokens=64), loaded=load(folder, threads=1))
    assert not np.__version__.startswith("1.")
    for number, each in enumerate(requests):
        fields = {**each, "sampling": Sampling(**each["sampling"]), "choices": tuple(ChoiceStart(n) for n in range(each["choices"]))}
        driver.submit(asked(str(number), **fields, namespace=NAMESPACE))
    driver.run()
    told = [[event.request_id, event.choice, event.index, event.token] for event in driver.events if isinstance(event, Token)]
    assert there["told"] == told
    assert len(told) > 60
