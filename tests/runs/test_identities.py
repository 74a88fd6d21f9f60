"""What a stage makes is found again under what it depends on: each setting that it reads tells its rows apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
from learning import write_model
from pydantic import BaseModel

from agentr_core import Checkpoint, RunConfig, scratch_run
from agentr_core.evaluate import stage as evaluate
from agentr_core.hashing import content_hash
from agentr_core.revise import stage as revise
from agentr_core.revise.tree_reviser import verdict_identity
from agentr_core.run_context import RunContext
from agentr_core.settings.run_config import DataSettings, EvaluateSettings, ReviseSettings, SearchSettings
from agentr_core.train.stage import training_identity

Change = dict[str, Any]
Settings = Callable[..., RunConfig]
#: Fields whose other value cannot be told from their type.
OTHERS: dict[str, Any] = {
    "alpha": [0.25], "general": "general.jsonl", "split": "dev", "sampler": "by_depth", "revision_action": "wait",
    "demonstrations": 3,
}  # fmt: skip


def other_value(model: type[BaseModel], name: str) -> Any:
    """Another value that a setting can have."""
    field = model.model_fields[name]
    if name in OTHERS:
        return OTHERS[name]
    if choices := [choice for choice in get_args(field.annotation) if choice != field.default]:
        return choices[0]
    if isinstance(field.default, bool):
        return not field.default
    return 0.5 * field.default + 0.25 if isinstance(field.default, float) else field.default + 1


def each(table: str, model: type[BaseModel]) -> list[tuple[str, Change]]:
    """A change of each setting of a table."""
    changes = []
    for name in model.model_fields:
        value = {name: other_value(model, name)}
        changes.append((f"{table}.{name}", {table: {**value, **({"general": "a"} if name == "eta" else {})}}))
    return changes


#: What any stage reads.
COMMON: list[tuple[str, Change]] = [("seed", {"seed": 6})]
#: Who acts, where somebody does.
POLICY: list[tuple[str, Change]] = [
    ("policy", {"policy": "expert"}),
    ("policy.options", {"flawed": {"rate": 0.25}}),
]
ENV: list[tuple[str, Change]] = [("env.options", {"textcraft": {"depth": 4, "world": "synthetic"}})]


@contextmanager
def context_of(config: RunConfig) -> Iterator[RunContext]:
    with scratch_run(config) as context:
        yield context


def revision(config: RunConfig) -> str:
    with context_of(config) as context:
        return content_hash(revise._identity(context, context.make_policy(), context.make_critic()))


def verdicts(config: RunConfig) -> str:
    with context_of(config) as context:
        return verdict_identity(context, context.make_policy(), context.make_critic())


def evaluation(config: RunConfig) -> str:
    with context_of(config) as context:
        return evaluate._open(context, context.make_policy(), 0, "plain").config_hash


def training(config: RunConfig, start: str = "base") -> str:
    with context_of(config) as context:
        return content_hash(training_identity(context, Checkpoint(model=start, base_model="base"), 1))


CRITIC: list[tuple[str, Change]] = [("critic", {"critic": "value"}), ("critic.options", {"actor": {"max_tokens": 7}})]
CASES: list[tuple[Callable[[RunConfig], str], str, Change]] = [
    *((revision, *case) for case in [*COMMON, *POLICY, *CRITIC, *each("revise", ReviseSettings)]),
    (revision, "evaluate.max_tokens", {"evaluate": {"max_tokens": 7}}),
    *((verdicts, *case) for case in [*COMMON, *POLICY, *CRITIC]),
    *((evaluation, *case) for case in [*COMMON, *POLICY, *ENV, *each("evaluate", EvaluateSettings)]),
    (evaluation, "revise.revision_action", {"revise": {"revision_action": "wait"}}),
    *((training, *case) for case in COMMON),
    (training, "trainer", {"trainer": "learning:Choosy"}),
    (training, "trainer.options", {"learning:Halver": {"factor": 0.25}}),
]
#: The identities of the configuration at hand.
BEFORE: dict[Callable[[RunConfig], str], str] = {}


@pytest.fixture
def configured(settings: Settings) -> Settings:
    """The configuration at hand; a changed table stands beside what it has already."""
    before: Change = {"trainer": "learning:Halver", "evaluate": {"tasks": 12}, "flawed": {"rate": 0.5}}
    return lambda **changes: settings(**{**before, **changes})


@pytest.mark.parametrize(("identity", "name", "change"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_what_a_stage_reads_tells_its_rows_apart(
    identity: Callable[[RunConfig], str], name: str, change: Change, configured: Settings
) -> None:
    now = configured()
    if identity not in BEFORE:
        BEFORE[identity] = identity(now)
        assert identity(now) == BEFORE[identity]
    assert identity(configured(**change)) != BEFORE[identity], name


def test_another_start_is_another_training(configured: Settings) -> None:
    assert training(configured(), start="other") != training(configured())


def test_a_start_is_what_its_files_are(configured: Settings, tmp_path: Path) -> None:
    """A project that was moved goes on, and a model that was replaced in its place is another one."""
    model, moved = write_model(tmp_path / "model", 0.5), tmp_path / "moved"
    before = training(configured(), start=str(model))
    model.rename(moved)
    assert training(configured(), start=str(moved)) == before
    (moved / "rate.txt").write_text("0.25")
    assert training(configured(), start=str(moved)) != before


@pytest.mark.parametrize("identity", [revision, verdicts, evaluation, training])
def test_what_changes_no_result_tells_nothing_apart(identity: Callable[[RunConfig], str], configured: Settings) -> None:
    assert identity(configured(concurrency=3)) == identity(configured())
    assert identity(configured(iterations=3)) == identity(configured())
    spread = {"sft": {"processes": 2, "sharding": "fsdp2", "accelerate": "mine.yaml"}}
    assert identity(configured(trainer="sft", **spread)) == identity(configured(trainer="sft"))


def test_a_policy_that_neither_judges_nor_repairs_is_no_part_of_a_set(configured: Settings) -> None:
    alone: Change = {"critic": "value", "revise": {"repairs": 0}}
    other = configured(**alone, flawed={"rate": 0.25}, evaluate={"tasks": 12, "max_tokens": 7})
    assert revision(other) == revision(configured(**alone))


TABLES = [
    ("search", SearchSettings),
    ("revise", ReviseSettings),
    ("data", DataSettings),
    ("evaluate", EvaluateSettings),
]
RUN = [*COMMON, *POLICY, *ENV, *CRITIC, *(case for table, model in TABLES for case in each(table, model))]


@pytest.mark.parametrize(
    ("name", "change"), [*RUN, ("iterations", {"iterations": 3}), ("from", {"start_from": "base"})]
)
def test_a_run_is_resumed_with_the_settings_that_it_began_with(name: str, change: Change, settings: Settings) -> None:
    before, after = settings(data={"general": "a"}), settings(**{"data": {"general": "a"}, **change})
    assert before.differences(after), name
