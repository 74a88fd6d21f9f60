"""What the train stage tells: general conversations that were skipped, conversations that the trainer left out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from learning import write_model
from project_stages import settings as settings

from agentr_core import RunConfig
from agentr_core.process.progress import Progress
from agentr_core.runs.start_and_resume import run
from agentr_core.store import DatasetRow, Sample, SampleKind, open_store
from agentr_core.train.dataset_recipes import without_revisions

FINE = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}


@pytest.fixture
def trained(tmp_path: Path, settings: Callable[..., RunConfig]) -> Callable[..., tuple[str, DatasetRow]]:
    """Searches, revises and trains once; what was said, and the dataset."""
    model = {"model": str(write_model(tmp_path / "base", 0.6))}

    def make(**changes: Any) -> tuple[str, DatasetRow]:
        names = {"policy": "learning:Learner", "learning:Learner": model, "trainer": "learning:Choosy"}
        said, db = io.StringIO(), tmp_path / "agentr.db"
        stages = ("search", "revise", "train")
        config = settings(**{**names, "search": {"tasks": 4}, **changes})
        run(config, db=db, stages=stages, progress=Progress(stream=said))  # type: ignore[arg-type]
        with open_store(db, read_only=True) as store:
            (row,) = store.datasets.select()
        return said.getvalue(), row

    return make


def test_skipped_general_conversations_are_said_and_kept_with_the_dataset(trained: Any, tmp_path: Path) -> None:
    path = tmp_path / "general.jsonl"
    odd = {"messages": [{"role": "wizard", "content": "hi"}, FINE["messages"][1]]}
    path.write_text("\n".join(map(json.dumps, (FINE, {"messages": []}, odd, FINE))))
    said, row = trained(data={"general": str(path), "eta": 0.5})
    told = "general data: 2 of 4 skipped (1 empty, line 2; 1 unknown role 'wizard', line 3)"
    assert told in said.splitlines()
    skipped = {"empty": 1, "unknown role 'wizard'": 1}
    assert row.config["general_read"] == {"read": 2, "of": 4, "skipped": skipped, "changed": {}}
    assert row.config["eta"] == 0.5


def test_general_data_that_is_not_used_is_said_to_be(trained: Any, tmp_path: Path) -> None:
    said, row = trained(data={"general": str(tmp_path / "any.jsonl")})
    assert f"general data: '{tmp_path / 'any.jsonl'}' is not used, since data.eta is 1" in said.splitlines()
    assert "general_read" not in row.config


@pytest.mark.parametrize(("limit", "warned"), [(1500, True), (1_000_000, False)])
def test_conversations_that_the_trainer_left_out_are_in_its_line(trained: Any, limit: int, warned: bool) -> None:
    said, row = trained(**{"learning:Choosy": {"max_length": limit}})
    (line,) = [line for line in said.splitlines() if line.startswith("iter 1 train")]
    warnings = [line for line in said.splitlines() if line.startswith("warning: ")]
    assert f"{row.n_examples} rows" in line and line.endswith("loss 2.00 → 2.00")
    assert (f"dropped for length (learning:Choosy.max_length={limit})" in line) == warned
    assert len(warnings) == warned  # once, though it was told twice
    if warned:
        assert f" of {row.n_examples} conversations are too long" in warnings[0]
        assert "; set learning:Choosy.max_length to " in warnings[0]


def test_a_trainer_that_goes_round_few_rows_often_is_warned_of_though_it_tells_no_lengths(trained: Any) -> None:
    said, _ = trained(trainer="learning:Tireless")
    (told,) = [line for line in said.splitlines() if line.startswith("warning: the rows are gone through")]
    assert told.startswith("warning: the rows are gone through 18 times") and "learning:Tireless.epochs" in told


def test_eta_is_that_of_what_is_trained_and_the_dropped_are_told_all_the_same(trained: Any, tmp_path: Path) -> None:
    path = tmp_path / "general.jsonl"
    path.write_text(json.dumps(FINE))
    data = {"data": {"general": str(path), "eta": 0.5}}
    said, row = trained(**data, **{"trainer": "learning:Measuring", "learning:Measuring": {"max_length": 2600}})
    dropped = row.config["selection"]["dropped"]
    assert dropped > 0 and f"{dropped} dropped for length (learning:Measuring.max_length=2600)" in said
    assert f"warning: {dropped} of {row.n_examples + dropped} conversations are too long" in said
    assert "agent data left" not in said, "it is the share that was asked for"
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        kinds = [item.kind for item in store.datasets.items(row.id)]
        (made,) = store.checkpoints.select()
        account = store.runs.accounts(row.run_id)[1, "train"]
    assert 2 * kinds.count("general") == len(kinds) == row.n_examples
    assert made.metrics["dropped"] == account["dropped"] == dropped
    assert account["conversations"] == row.n_examples + dropped


@pytest.mark.parametrize("recipe", ["direct", "agent-r", "good"])
@pytest.mark.parametrize("critic", ["value", "last"])
def test_a_recipe_of_revisions_that_finds_none_is_warned_of(trained: Any, critic: str, recipe: str) -> None:
    said, row = trained(critic=critic, data={"recipe": recipe})
    told = [line for line in said.splitlines() if line.startswith("warning: no revision is trained on: ")]
    assert bool(told) == (critic == "value" and recipe == "direct")
    assert (row.config["selection"]["taken_revisions"] == 0) == (bool(told) or recipe == "good")
    if told:
        assert "takes those that no verdict cut, and the critic 'value' cut all " in told[0]
        assert told[0].endswith("; for Direct-Revision take --critic last")


def test_trees_without_a_good_attempt_beside_a_failed_one_have_no_revisions() -> None:
    good = sample("good")
    assert without_revisions("agent-r", [good], "value") == (
        "no failed attempt has a good one beside it; search more simulations or samples (see agentr trees list)"
    )
    assert without_revisions("agent-r", [good, sample("revision")], "value") is None
    assert without_revisions("agent-r", [good, replace(sample("revision"), kept=False)], "value") == (
        "none of the 1 that were made was kept; see agentr revisions list"
    )
    assert without_revisions("good", [good], "value") is None


def sample(kind: SampleKind) -> Sample:
    return Sample(tree_id=1, kind=kind, good_leaf=1)


def test_the_line_says_how_revisions_became_rows(trained: Any) -> None:
    said, row = trained(data={"max_revisions_per_tree": 1})
    (line,) = [line for line in said.splitlines() if line.startswith("iter 1 train")]
    taken, of = (row.config["selection"][name] for name in ("taken_revisions", "revisions"))
    assert taken < of and f"{taken} of {of} revisions" in line and "over the caps of a tree" in line
