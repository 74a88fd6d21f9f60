"""What a new run takes over from others that came to the very same: its baseline, its first trees, their revisions.

All that a stage draws follows from names and the run's seed, never from the run itself, so that trees which another
run with the same settings has grown are those that this one would grow. Taken over, they cost nothing a second time;
left alone, nothing would be different. What comes after the first training is a run's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agentr_core.errors import UsageError
from agentr_core.hashing import content_hash
from agentr_core.registry.lookup import Registry
from agentr_core.runs.provenance import check_versions
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import RunRow, Store

#: The settings that each of the stages depends on, besides the action of a revision.
_OF_BASELINE = ("env", "policy", "seed", "evaluate")
_OF_SEARCH = ("env", "policy", "seed", "searcher", "search", "iterations")
_OF_REVISE = (*_OF_SEARCH, "critic", "revise", "evaluate")
_FIRST, _BASELINE = 1, 0


def take_over(store: Store, row: RunRow, found: Mapping[str, RunRow]) -> None:
    """Copy into a run that has begun nothing what :func:`sources` found for it."""
    if store.runs.stages(row.id):
        raise UsageError(f"run {row.short} has begun already: what it has is its own")
    with store.transaction():
        if "evaluate" in found:
            _evaluation(store, found["evaluate"], row)
        if "search" in found:
            trees = store.copies.trees(found["search"].id, row.id, _FIRST)
            store.copies.stage(found["search"].id, row.id, _FIRST, "search", None)
            if "revise" in found:
                _revisions(store, found["revise"], row, trees)


def sources(
    store: Store, config: RunConfig, others: Sequence[RunRow], registry: Registry, *, revised: bool
) -> dict[str, RunRow]:
    """Of each stage that a run with these settings can take over, which of ``others`` to take it from.

    Revisions, where the run is ``revised``, come with the trees that they are of. Raises
    :class:`~agentr_core.errors.ResumeError` where such a run was made with other versions of the environment or of
    plugins.
    """
    found: dict[str, RunRow | None] = {
        "evaluate": _first(store, config, others, "evaluate", _BASELINE, _OF_BASELINE),
        "search": _first(store, config, others, "search", _FIRST, _OF_SEARCH),
    }
    both = _first(store, config, others, "revise", _FIRST, _OF_REVISE) if revised else None
    if both is not None:
        found |= {"search": both, "revise": both}
    known = {stage: source for stage, source in found.items() if source is not None}
    for source in {source.id: source for source in known.values()}.values():
        check_versions(store, source, config, registry)
    return known


def same_trees(config: RunConfig) -> str:
    """A hash that two configurations share which grow the same trees in the first iteration."""
    return content_hash(_part(config.model_dump(mode="json"), _OF_SEARCH))


def _first(
    store: Store, config: RunConfig, others: Iterable[RunRow], stage: str, iteration: int, settings: Sequence[str]
) -> RunRow | None:
    """The first run that has finished the stage with the same settings, and made something there."""
    wanted = _part(config.model_dump(mode="json"), settings)
    for other in others:
        done = store.runs.stage(other.id, iteration, stage)
        made = done is not None and done.status == "done" and (stage == "search" or done.result_id is not None)
        if made and _part(_stored(other), settings) == wanted:
            return other
    return None


def _part(dump: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    return {**{name: dump[name] for name in settings}, "action": dump["revise"]["revision_action"]}


def _stored(row: RunRow) -> dict[str, Any]:
    known = {key: value for key, value in row.config.items() if key in RunConfig.model_fields}
    return RunConfig.model_validate(known).model_dump(mode="json")


def _evaluation(store: Store, source: RunRow, row: RunRow) -> None:
    """The baseline's evaluations: of the tasks, and the revision test where there was one."""
    copied = store.copies.evaluations(source.id, row.id, _BASELINE)
    stage = store.runs.stage(source.id, _BASELINE, "evaluate")
    result = None if stage is None or stage.result_id is None else copied[stage.result_id]
    store.copies.stage(source.id, row.id, _BASELINE, "evaluate", result)


def _revisions(store: Store, source: RunRow, row: RunRow, trees: Mapping[int, int]) -> None:
    stage = store.runs.stage(source.id, _FIRST, "revise")
    assert stage is not None and stage.result_id is not None, "chosen for it"
    copied = store.copies.revision_set(stage.result_id, row.id, trees)
    store.copies.stage(source.id, row.id, _FIRST, "revise", copied)
