"""Our engine on a list of prompts, in a process of its own: `python -m bench.llm.loop FOLDER ROWS THREADS < requests`, a JSON line each.

The engine alone: no Triton, no service, one loop in one thread, prefill and sampling included. A closed loop: `callers` requests at a time,
each followed by the next of the list.
"""

import json
import sys
import time
from pathlib import Path

from engine.llm.engine import Engine
from engine.llm.generation import Finished, Generation, Token
from engine.llm.limits import Limits
from engine.llm.loading import load

NAMESPACE = bytes(32)


def run(engine: Engine, prompts: list[list[int]], new_tokens: int, callers: int, name: str) -> tuple[list[list[float]], list[list[int]]]:
    """(seconds from a request's own start at which each of its tokens came, tokens) of every answer."""
    began: dict[str, float] = {}
    at_s: dict[str, list[float]] = {}
    tokens: dict[str, list[int]] = {}
    waiting = iter([(f"{name}.{number}", prompt) for number, prompt in enumerate(prompts)])

    def submit() -> None:
        for key, prompt in waiting:
            began[key], at_s[key], tokens[key] = time.perf_counter(), [], []
            engine.submit(Generation(key, prompt, NAMESPACE, new_tokens, ignore_end=True))
            return

    for _ in range(callers):
        submit()
    missing = len(prompts)
    while missing:
        events = engine.step()
        now = time.perf_counter()
        for event in events:
            if isinstance(event, Token):
                at_s[event.request_id].append(now - began[event.request_id])
                tokens[event.request_id].append(event.token)
            elif isinstance(event, Finished):
                missing -= 1
                submit()
    return list(at_s.values()), list(tokens.values())


def main() -> None:
    """Answer each line of input with a line of output."""
    folder, rows, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    engine = Engine(load(folder, threads=threads), Limits(rows=rows))
    for number, line in enumerate(sys.stdin):
        request = json.loads(line)
        began_cpu, began = time.process_time(), time.perf_counter()
        at_s, tokens = run(engine, request["prompts"], request["new_tokens"], request["callers"], str(number))
        took_s = time.perf_counter() - began
        print(json.dumps({"at_s": at_s, "tokens": tokens, "took_s": took_s, "cpu_s": time.process_time() - began_cpu}), flush=True)


if __name__ == "__main__":
    main()
