"""What a run would look at before its first stage, without the run: the checks behind ``agentr doctor --model M``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from agentr_core.run_context import RunContext
from agentr_core.runs.preflight import Found, preflight
from agentr_core.runs.scratch import scratch_run
from agentr_core.settings.layers import NO_TRAINER
from agentr_core.settings.run_config import RunConfig


def look_ahead(config: RunConfig) -> Iterator[Found]:
    """:func:`preflight` over a store that is thrown away: what a run with this configuration would begin with."""
    stages = ["search", "revise", "evaluate", *(["train"] if config.trainer.name != NO_TRAINER else [])]

    async def all_of(context: RunContext) -> list[Found]:
        policy = context.make_policy()
        try:
            await policy.ready()
            return [found async for found in preflight(context, policy, Path("agentr-out"), stages)]
        finally:
            await policy.close()

    with scratch_run(config) as context:
        yield from asyncio.run(all_of(context))
