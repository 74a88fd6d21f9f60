"""How full the servers are, out of the page that vLLM has; nothing where there is none."""

from __future__ import annotations

import asyncio

import pytest
from agentr_openai.metrics import Reading, page, read_metrics
from endpoint import Endpoint
from openai_asking import QUICK, TURNS

import agentr_core
from agentr_core import EngineLoad, SampleRequest
from agentr_core.interfaces.policy import AnyPolicy

PAGE = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 6.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 1200.0
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 9e+02
vllm:cache_config_info{block_size="32",cache_dtype="auto",engine="0",num_gpu_blocks="728"} 1.0
python_gc_objects_collected_total{generation="0"} 1.0
"""


def test_the_page_of_vllm_is_read() -> None:
    assert read_metrics(PAGE) == Reading(kv_tokens=23296, kv_used=0.25, running=6.0, asked=1200.0, held=900.0)
    assert read_metrics("<html>not found</html>") is None
    assert page("http://127.0.0.1:8000/v1") == "http://127.0.0.1:8000/metrics"


@pytest.mark.parametrize("text", [PAGE, ""], ids=["vLLM", "another server"])
def test_servers_are_looked_at_while_requests_are_in_flight(text: str) -> None:
    async def scene(server: Endpoint) -> EngineLoad | None:
        policy: AnyPolicy = agentr_core.create("policy", "openai", **QUICK, base_url=server.url)
        assert policy.engine_load() is None
        while not server.looks or (text and policy.engine_load() is None):
            await policy.sample(SampleRequest(TURNS, seed=1, session="a"))
        for seed in range(3):
            await policy.sample(SampleRequest(TURNS, seed=seed, session="a"))
        load = policy.engine_load()
        await policy.close()
        return load

    with Endpoint(metrics=text) as server:
        expected = EngineLoad(kv_tokens=23296, kv_used=0.25, busy=6 / 64, cached=0.75) if text else None
        assert asyncio.run(scene(server)) == expected
        assert text or server.looks == 1, "a server without such a page is not asked again"
