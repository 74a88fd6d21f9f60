"""What a run would look at before its first stage, without the run: ``agentr doctor --model M``, ``run --dry-run``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentr_core.errors import ModelNotHere
from agentr_core.interfaces.policy import PolicyPreview
from agentr_core.run_context import RunContext
from agentr_core.runs.critic_preflight import critic_answers
from agentr_core.runs.estimate import Estimate, estimate
from agentr_core.runs.preflight import Actor, Found, free_checks
from agentr_core.runs.revising import at_work
from agentr_core.runs.scratch import scratch_run
from agentr_core.settings.forecast import STAGES
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import Store, is_new, open_store


def look_ahead(config: RunConfig) -> Iterator[Found]:
    """All checks of a run over a store that is thrown away; the model is loaded, and the critic asked once."""

    async def all_of(context: RunContext) -> list[Found]:
        policy = context.make_policy()
        try:
            stages = at_work(config, context.registry, STAGES)
            found = [each async for each in free_checks(context, policy, Path("agentr-out"), stages)]
            await policy.ready()
            return found + [each async for each in critic_answers(context, policy) if "revise" in stages]
        finally:
            await policy.close()

    with scratch_run(config) as context:
        yield from asyncio.run(all_of(context))


def dry_run(config: RunConfig, *, db: str, out: str | None) -> tuple[list[Found], Estimate]:
    """The checks of a run that cost neither a token nor the loading of a model, and what it comes to at the most.

    Raises what the run would raise before it begins; a model of the hub that is not here is a warning.
    """
    folder = Path(out) if out is not None else Path(db).absolute().parent / "agentr-out"

    async def looked_at(context: RunContext, known: Actor) -> tuple[list[Found], Estimate]:
        found = list[Found]()
        stages = at_work(config, context.registry, STAGES)
        with _stored(db) as store:
            try:
                async for each in free_checks(context, known, folder, stages, store):
                    found.append(each)
            except ModelNotHere as error:  # the weights' tokenizer; nothing is checked after it
                found.append(_not_here(error))
            return found, estimate(context, known, stages, store)

    async def all_of(context: RunContext) -> tuple[list[Found], Estimate]:
        try:
            if (known := context.preview_policy()) is not None:
                return await looked_at(context, known)
            made = context.make_policy()
        except ModelNotHere as error:
            found, counts = await looked_at(context, _unseen(config))
            return [_not_here(error), *found], counts
        try:
            return await looked_at(context, made)
        finally:
            await made.close()

    with scratch_run(config) as context:
        return asyncio.run(all_of(context))


def _not_here(error: ModelNotHere) -> Found:
    """A run is planned on one machine and done on another: what is not here is said, and the rest reckoned."""
    return Found("model", f"{error}; so its template, context and memory are not looked at", warning=True)


def _unseen(config: RunConfig) -> PolicyPreview:
    """A policy of which no more is known than what the settings say."""
    options = config.policy.options
    model = str(options.get("model"))
    context = options.get("context_length")
    weights = str(options.get("weights") or model)
    return PolicyPreview(model, weights, None, context, count_tokens=lambda messages: 0, is_here=False)


@contextmanager
def _stored(db: str) -> Iterator[Store | None]:
    """The project's store, where there is one yet."""
    if is_new(Path(db)):
        yield None
        return
    with open_store(db, read_only=True) as store:
        yield store
