"""vLLM's /metrics as load; lines as they were recorded."""

from __future__ import annotations

import pytest
from backends.vllm import metrics

PAGE = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="tiny"}} {running}
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{engine="0",model_name="tiny"}} 2.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{{engine="0",model_name="tiny"}} 0.25
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{{engine="0",model_name="tiny"}} {generated}
# TYPE vllm:generation_tokens_created gauge
vllm:generation_tokens_created{{engine="0",model_name="tiny"}} {created}
# TYPE vllm:prompt_tokens_by_source_total counter
vllm:prompt_tokens_by_source_total{{engine="0",model_name="tiny",source="local_compute"}} {computed}
vllm:prompt_tokens_by_source_total{{engine="0",model_name="tiny",source="external_kv_transfer"}} 1200.0
# TYPE vllm:iteration_tokens_total histogram
vllm:iteration_tokens_total_bucket{{engine="0",le="1.0",model_name="tiny"}} 7
vllm:iteration_tokens_total_bucket{{engine="0",le="+Inf",model_name="tiny"}} 127
vllm:iteration_tokens_total_count{{engine="0",model_name="tiny"}} 127.0
vllm:iteration_tokens_total_sum{{engine="0",model_name="tiny"}} 446.0
# TYPE vllm:inter_token_latency_seconds histogram
vllm:inter_token_latency_seconds_count{{engine="0",model_name="tiny"}} {steps}
vllm:inter_token_latency_seconds_sum{{engine="0",model_name="tiny"}} {latency_s}
# TYPE vllm:request_prefill_time_seconds histogram
vllm:request_prefill_time_seconds_sum{{engine="0",model_name="tiny"}} {prefill_s}
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{{block_size="128",cache_dtype="auto",num_gpu_blocks="512",hash_block_size="None"}} 1.0
# TYPE python_info gauge
python_info{{version="3.11"}} 1.0
"""


def page(**changes: float) -> metrics.Said:
    told = {"running": 3.0, "generated": 0.0, "created": 1.79e9, "computed": 0.0, "steps": 0.0, "latency_s": 0.0, "prefill_s": 0.0}
    return metrics.read(PAGE.format(**told | changes))


def test_a_page_as_load() -> None:
    said = page()
    load = metrics.load(said, metrics.Rates(), rows_used=1, prefill_tokens=9, cached_blocks=5, block_tokens=64)
    assert (load.steps, load.rows_used, load.queued, load.prefill_tokens, load.kv_usage) == (127, 3, 2, 9, 0.25)
    assert (load.decode_blocks, load.cache_capacity_blocks, load.cached_blocks) == (256, 1024, 5)
    assert load.utilisation == -1.0
    assert (said.config["cache_dtype"], said.number("block_size"), said.number("hash_block_size")) == ("auto", 128, 0)


def test_what_this_process_has_there_counts_before_the_page_does() -> None:
    assert metrics.load(page(running=0), metrics.Rates(), rows_used=4, prefill_tokens=0, cached_blocks=0, block_tokens=64).rows_used == 4


def test_rates_are_of_what_was_counted_in_between() -> None:
    rates = metrics.Rates()
    rates.look(page(), 10.0)
    assert (rates.step_ms, rates.output_tokens_per_s, rates.prefill_tokens_per_s) == (0, 0, 0)
    rates.look(page(generated=50, steps=40, latency_s=0.4, computed=300, prefill_s=0.5), 12.0)
    assert (rates.step_ms, rates.output_tokens_per_s, rates.prefill_tokens_per_s) == (pytest.approx(10), 25, 600)
    rates.look(page(generated=50, steps=40, latency_s=0.4, computed=300, prefill_s=0.5), 13.0)
    assert (rates.step_ms, rates.output_tokens_per_s) == (pytest.approx(10), 0), "what was not counted keeps its last value"


def test_reading_times_that_cannot_be_are_left_out() -> None:
    """vLLM 0.32 counts hours for a prompt whose keys and values were fetched."""
    rates = metrics.Rates()
    rates.look(page(), 10.0)
    rates.look(page(computed=300, prefill_s=24411.5), 12.0)
    assert rates.prefill_tokens_per_s == 0


def test_another_start_counts_from_nothing() -> None:
    rates = metrics.Rates()
    rates.look(page(generated=500), 10.0)
    rates.look(page(generated=5, created=1.8e9), 12.0)
    assert rates.output_tokens_per_s == 0
    assert page().began != page(created=1.8e9).began


@pytest.mark.parametrize("text", ["", "not a page", "# TYPE up gauge\nup 1\n", "vllm:num_requests_running{"])
def test_what_is_no_page_of_it(text: str) -> None:
    with pytest.raises(ValueError):
        metrics.read(text)
