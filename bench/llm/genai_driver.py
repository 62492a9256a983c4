"""onnxruntime-genai on a list of prompts, in its own environment: `python genai_driver.py FOLDER < request.json`, one JSON line a round.

Stands alone: the standard library, numpy and onnxruntime-genai. A batch runs to its end before the next one starts, as its generator
works; prompts and answers have one length, so nothing waits for a longer neighbour.
"""

import json
import sys
import time

import numpy as np
import onnxruntime_genai as og  # type: ignore[import-not-found]


def run(model: og.Model, prompts: list[list[int]], new_tokens: int) -> tuple[list[float], list[list[int]]]:
    """(seconds from the start at which each token of every answer came, tokens of each answer) of one batch."""
    params = og.GeneratorParams(model)
    length = len(prompts[0]) + new_tokens
    params.set_search_options(do_sample=False, max_length=length, min_length=length, batch_size=len(prompts))
    began = time.perf_counter()
    generator = og.Generator(model, params)
    generator.append_tokens(np.asarray(prompts, dtype=np.int32))
    at_s = []
    for _ in range(new_tokens):
        generator.generate_next_token()
        at_s.append(time.perf_counter() - began)
    return at_s, [generator.get_sequence(row)[-new_tokens:].tolist() for row in range(len(prompts))]


def main() -> None:
    """Answer each line of input, a request, with a line of output."""
    model = og.Model(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        began_cpu, began = time.process_time(), time.perf_counter()
        prompts, callers, at_s, tokens = request["prompts"], request["callers"], [], []
        for start in range(0, len(prompts), callers):
            batch_at_s, batch_tokens = run(model, prompts[start : start + callers], request["new_tokens"])
            at_s += [batch_at_s] * len(batch_tokens)
            tokens += batch_tokens
        answer = {"at_s": at_s, "tokens": tokens, "took_s": time.perf_counter() - began, "cpu_s": time.process_time() - began_cpu}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
