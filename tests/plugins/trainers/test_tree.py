"""Policy gradient on trees: the gradient against one by hand, what is checked before a step, stopping and going on."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hand_made_trees import three_actions

from agentr_core import (
    ActionRow,
    ActionSet,
    ChatPrompts,
    Checkpoint,
    Completion,
    Example,
    Interrupted,
    Message,
    NothingToDo,
    ResumeError,
    TrainingSet,
    UsageError,
)
from agentr_core.interfaces.training_sets import Rows
from agentr_core.process.progress import Progress
from agentr_core.runs.single_stages import train_again
from agentr_core.runs.start_and_resume import run
from agentr_core.train.tree_rows import action_rows

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from agentr_training.identity import differences, identity  # noqa: E402
from agentr_training.model import load  # noqa: E402
from agentr_tree.actions import Row, Turn, laid_out, render_actions  # noqa: E402
from agentr_tree.config import TreeSettings  # noqa: E402
from agentr_tree.objective import surrogate  # noqa: E402
from agentr_tree.trainer import TreeTrainer  # noqa: E402
from gradients import token_logprobs, trained_positions  # noqa: E402
from tiny_trees import TrainOn, configure  # noqa: E402

pytestmark = pytest.mark.model

QUICK: dict[str, Any] = {"batch_size": 4, "learning_rate": 3e-3, "epochs": 2, "save_steps": 2, "precision": "fp32"}
SAMPLING = {"sampling": {"temperature": 1.0, "top_p": 1.0}}
TREE = "agentr_tree.trainer:TreeTrainer"


def action_set(rows: Sequence[ActionRow], **more: Any) -> ActionSet:
    return ActionSet("test", Rows(lambda: rows, len(rows)), "hash", **{"origin": SAMPLING, **more})


@pytest.fixture(scope="module")
def plain(model_folder: Path) -> tuple[Any, Any]:
    return load(str(model_folder), torch.float32)


@pytest.fixture
def start(model_folder: Path) -> Checkpoint:
    return Checkpoint(model=str(model_folder), base_model="base")


@pytest.fixture(scope="module")
def rows(plain: tuple[Any, Any]) -> list[ActionRow]:
    """The actions of the hand-made tree, each with tokens and log-probabilities as if the model had drawn it."""
    model, tokenizer = plain
    prompts = ChatPrompts(tokenizer, {}, "test")

    def drawn(row: ActionRow) -> ActionRow:
        prompt = list(prompts.ids(row.prompt))
        answer = prompts.encode(f"{row.drawn.text}<|end|>")
        known = token_logprobs(model, prompt + answer)[len(prompt) :]
        said = Completion(text=row.drawn.text, token_ids=answer, logprobs=known, prompt_tokens=len(prompt))
        return replace(row, drawn=said)

    return [drawn(row) for row in action_rows(three_actions(), 1)]


def first_batch(
    rows: Sequence[ActionRow], plain: tuple[Any, Any], folder: Path, dataset: ActionSet | None = None, **settings: Any
) -> tuple[Any, Any]:
    made = TreeTrainer(TreeSettings(**{**QUICK, "batch_size": 16, **settings}))
    model, tokenizer = load(plain[0].config._name_or_path, torch.float32)
    rendered, _ = made.render(dataset or action_set(rows), tokenizer, 1024, {})
    trainer = made.trainer(model, tokenizer, rendered, made.arguments(folder, 1, 5), 1)
    return trainer, next(iter(trainer.get_train_dataloader()))


def train(dataset: ActionSet, start: Checkpoint, out: Path, *, resume: bool = False, **more: Any) -> Checkpoint:
    report = more.pop("report", None)
    settings = TreeSettings(**{**QUICK, **more})
    return TreeTrainer(settings).train(dataset, start, out, resume=resume, seed=5, report=report)


def weights(checkpoint: Checkpoint) -> bytes:
    return (checkpoint.path / "model.safetensors").read_bytes()


def gradient(model: Any, value: Any) -> Any:
    found = torch.autograd.grad(value, [each for each in model.parameters() if each.requires_grad])
    return torch.cat([each.reshape(-1) for each in found])


def test_the_gradient_is_the_one_by_hand(rows: list[ActionRow], plain: tuple[Any, Any], tmp_path: Path) -> None:
    """With ratios of 1: minus the sum of reach, share and advantage times the gradient of log-probabilities.

    Whether or not an action shares its row with what comes after it.
    """
    trainer, batch = first_batch(rows, plain, tmp_path)
    assert int(batch["turns"].max()) > 1 and len(batch["turns"]) < len(rows)
    found = gradient(trainer.model, trainer.compute_loss(trainer.model, dict(batch)))
    model, tokenizer = plain
    prompts, by_hand, whole, own = ChatPrompts(tokenizer, {}, "test"), 0.0, 0.0, dict[str, Any]()
    # Worked out in tests/train/test_tree_rows.py: Q - b + 0.5 (Q - V(root)) and reach x share, by node.
    root, known = 3.5 / 6, {"get": (0.75, 0.5, 0.5), "jump": (0.0, 0.5, 0.25), "look": (0.5, 0.5, 0.25)}
    for row in rows:
        ids = [*prompts.ids(row.prompt), *row.drawn.token_ids]
        logits = model(input_ids=torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        logprobs = logits.gather(1, torch.tensor(ids[1:])[:, None])[-len(row.drawn.token_ids) :, 0].sum()
        name = row.drawn.text.rpartition(" ")[2] if row.reach == 1.0 else ""
        q, b, weight = known.get(name, (row.q, row.baseline, row.reach * row.share))
        advantage, each = q - b + 0.5 * (q - root), gradient(model, logprobs)
        by_hand = by_hand - weight * advantage * each
        whole += weight * len(row.drawn.token_ids)
        own[name] = (advantage, each)
    assert torch.allclose(found, by_hand / whole, atol=1e-6)
    assert own["get"][0] > 0 > own["jump"][0]
    apart = own["get"][1] - own["jump"][1]
    assert -(found @ apart) > 0, "a step against the gradient makes the good one likelier beside the bad one"


def test_actions_join_the_rows_that_begin_with_them() -> None:
    def action(*ids: int) -> Row:
        return Row(array("i", ids), (Turn(len(ids) - 1, len(ids), array("f"), 1.0, 1.0, True),))

    ids = [(1, 2), (1, 2, 3, 4), (1, 2, 3, 5), (1, 2), (1, 9, 3), (1, 2, 3, 4, 7, 8)]
    given = [action(*each) for each in ids]
    rows = laid_out(given)
    assert [row.ids.tolist() for row in rows] == [[1, 2, 3, 4, 7, 8], [1, 2, 3, 5], [1, 2], [1, 9, 3]]
    assert [[turn.stop for turn in row.turns] for row in rows] == [[2, 4, 6], [4], [2], [3]]
    assert sum(len(row.turns) for row in rows) == len(given), "the one that came twice is trained twice"


def test_only_what_was_drawn_carries_gradient(rows: list[ActionRow], plain: tuple[Any, Any], tmp_path: Path) -> None:
    trainer, batch = first_batch(rows, plain, tmp_path)
    assert torch.equal(trained_positions(trainer, batch), batch["turns"] > 0)
    drawn = {tuple(row.drawn.token_ids) for row in rows}
    each = zip(batch["input_ids"], batch["turns"], strict=True)
    kept = {tuple(ids[turns == number].tolist()) for ids, turns in each for number in range(1, int(turns.max()) + 1)}
    assert kept == drawn


@pytest.mark.parametrize("settings", [{"loss": "awr"}, {"revision_weight": 0.5}], ids=["awr", "mixed"])
def test_no_observation_carries_gradient_in_other_ways_either(
    settings: dict[str, Any], rows: list[ActionRow], plain: tuple[Any, Any], tmp_path: Path
) -> None:
    told = (*rows[0].prompt, Message("assistant", "Action: revise", train=True))
    dataset = action_set(rows, conversations=TrainingSet("beside", (Example(told, "revision"),), "h"))
    trainer, batch = first_batch(rows, plain, tmp_path, dataset, **settings)
    assert torch.equal(trained_positions(trainer, batch), batch["turns"] > 0)
    assert bool(batch["by_ratio"].any()) is ("loss" not in settings)


def test_the_surrogate_is_clipped_on_both_sides() -> None:
    settings = TreeSettings(clip_low=0.2, clip_high=0.28, dual_clip=3.0)
    ratios, turns = torch.tensor([[0.5, 1.0, 2.0, 9.0]]), torch.tensor([[1, 1, 1, 1]])
    old = torch.zeros(1, 4)
    good, clipped = surrogate(ratios.log(), old, turns, torch.ones(1, 4), settings)
    assert good[0].tolist() == pytest.approx([0.5, 1.0, 1.28, 1.28]) and clipped[0].tolist() == [
        False,
        False,
        True,
        True,
    ]
    bad, clipped = surrogate(ratios.log(), old, turns, -torch.ones(1, 4), settings)
    assert bad[0].tolist() == pytest.approx([-0.8, -1.0, -2.0, -3.0]) and clipped[0].tolist() == [
        True,
        False,
        False,
        True,
    ]
    whole = TreeSettings(ratio="turn", clip_high=9.0)
    turn, _ = surrogate(ratios.log(), old, turns, torch.ones(1, 4), whole)
    assert turn[0].tolist() == pytest.approx([9.0**0.25] * 4), "the geometric mean of 0.5, 1, 2 and 9"
    two, _ = surrogate(ratios.log(), old, torch.tensor([[1, 0, 2, 2]]), torch.ones(1, 4), whole)
    assert two[0].tolist() == pytest.approx([0.5, 0.0, 18.0**0.5, 18.0**0.5]), "of each turn its own"


def test_the_distance_that_is_told_is_from_what_drew_the_actions(
    rows: list[ActionRow], plain: tuple[Any, Any], tmp_path: Path
) -> None:
    """KL of the drawing model from the present one, on what the first has drawn: r - 1 - log r."""
    away = [0.5, -2.0, -9.0]
    (row,) = [row for row in rows if row.drawn.text.endswith("jump")]
    logprobs = [value - (away[place] if place < len(away) else 0.0) for place, value in enumerate(row.drawn.logprobs)]
    moved = replace(row, drawn=row.drawn.model_copy(update={"logprobs": tuple(logprobs)}))
    trainer, batch = first_batch([moved], plain, tmp_path)
    trainer.compute_loss(trainer.model, dict(batch))
    by_hand = sum(math.exp(x) - 1 - x for x in away) / len(logprobs)
    assert trainer._seen["kl"] == [pytest.approx(by_hand, rel=1e-3)]


def test_at_the_start_the_model_is_the_one_that_drew_the_actions(train_on: TrainOn) -> None:
    made, metrics = train_on(TREE, {**QUICK, "epochs": 1, "batch_size": 16, "learning_rate": 1e-4})
    assert metrics["drift_largest"] < 1e-4 and metrics["far"] == 0.0
    assert metrics["examples"] > 20 and metrics.get("moved", 0.0) == 0.0 and metrics["positive"] > 0
    assert made.step == -(-int(metrics["rows"]) // 16) and (made.path / "model.safetensors").is_file()
    assert 0.0 <= metrics["clipped"] <= 1.0 and metrics["kl"] >= 0.0


def test_the_default_model_gives_back_the_probabilities_of_what_it_drew(tmp_path: Path) -> None:
    config = configure(trainer="tree", transformers={"model": "tiny", "dtype": "float32", "device": "cpu"})
    db = tmp_path / "agentr.db"
    run(config, db=db, stages=("search",), progress=Progress(quiet=True))
    metrics = train_again("last", config, db=db, iteration=1, out=tmp_path / "out", progress=Progress(quiet=True))
    assert 0.0 < metrics["drift_largest"] < 1e-4


def test_without_log_probabilities_actions_are_weighed(
    rows: list[ActionRow], start: Checkpoint, tmp_path: Path
) -> None:
    bare = [replace(row, drawn=Completion(text=row.drawn.text)) for row in rows]
    with pytest.raises(NothingToDo, match=r"set tree\.loss=awr"):
        train(action_set(bare), start, tmp_path / "pg")
    made = train(action_set(bare), start, tmp_path / "awr", loss="awr", epochs=4)
    assert made.metrics["loss_last"] < made.metrics["loss_first"]
    tokenizer = load(start.model, torch.float32)[1]
    known, _ = render_actions(action_set(bare), tokenizer, TreeSettings(loss="awr"), max_length=1024, options={})
    get, jump = (row.turns[0] for row in known[:2])
    by_hand = 0.5 * min(5.0, torch.tensor((0.25 + 0.5 * (0.75 - 3.5 / 6)) / 0.3).exp().item())
    other = 0.25 * torch.tensor((-0.5 - 0.5 * 3.5 / 6) / 0.3).exp().item()
    assert get.weight / jump.weight == pytest.approx(by_hand / other, rel=1e-5)
    assert list(known[0].ids[get.start : get.stop]) == list(rows[0].drawn.token_ids)


def test_trees_of_another_temperature_are_refused(rows: list[ActionRow], start: Checkpoint, tmp_path: Path) -> None:
    for sampling in ({"temperature": 0.7, "top_p": 1.0}, {"temperature": 1.0, "top_p": None}):
        with pytest.raises(UsageError, match=r"sampled at temperature .* set tree\.loss=awr"):
            train(action_set(rows, origin={"sampling": sampling}), start, tmp_path)
    made = train(action_set(rows, origin={"sampling": {"temperature": 0.7}}), start, tmp_path, loss="awr")
    assert made.step > 0


def test_a_start_that_did_not_draw_the_actions_is_refused(
    rows: list[ActionRow], start: Checkpoint, tmp_path: Path
) -> None:
    strange = [
        replace(row, drawn=row.drawn.model_copy(update={"logprobs": tuple(x + 1.0 for x in row.drawn.logprobs)}))
        for row in rows
    ]
    with pytest.raises(UsageError, match=r"log-probabilities are 1\.000 apart in the mean .* 100\.0% of tokens"):
        train(action_set(strange), start, tmp_path)


def test_what_cannot_be_learnt_is_counted(rows: list[ActionRow], plain: tuple[Any, Any]) -> None:
    def changed(row: ActionRow, **values: Any) -> ActionRow:
        return replace(row, drawn=row.drawn.model_copy(update=values))

    given = [
        *rows,
        changed(rows[0], prompt_tokens=3),
        changed(rows[0], finish_reason="length"),
        changed(rows[0], logprobs=()),
        replace(rows[0], q=0.5, root=0.5),
    ]
    made, counts = render_actions(action_set(given), plain[1], TreeSettings(), max_length=1024, options={})
    assert sum(len(row.turns) for row in made) == counts["actions"] == len(rows)
    assert {name: counts[name] for name in ("moved", "cut_off", "unknown", "equal")} == dict.fromkeys(
        ("moved", "cut_off", "unknown", "equal"), 1
    )
    few, counts = render_actions(
        action_set(rows), plain[1], TreeSettings(max_rows_per_tree=2), max_length=1024, options={}
    )
    assert sum(len(row.turns) for row in few) == 2 and counts["over_cap"] == len(rows) - 2


def test_conversations_are_mixed_in_by_weight(rows: list[ActionRow], plain: tuple[Any, Any], tmp_path: Path) -> None:
    said = (*rows[0].prompt, Message("assistant", "Action: revise", train=True))
    beside = TrainingSet("beside", (Example(said, "revision"),), "h")
    mixed = action_set(rows, conversations=beside)
    trainer, batch = first_batch(rows, plain, tmp_path, mixed, revision_weight=0.5)
    alone, actions = first_batch(rows, plain, tmp_path)
    loss = trainer.compute_loss(trainer.model, dict(batch)).item() * len(batch["weights"])
    without = alone.compute_loss(alone.model, dict(actions)).item() * len(actions["weights"])
    (place,) = [place for place, known in enumerate(batch["by_ratio"].any(1).tolist()) if not known]
    ids = batch["input_ids"][place][batch["attention_mask"][place].bool()].tolist()
    counted = batch["turns"][place].tolist()
    logprobs = [value for value, one in zip(token_logprobs(plain[0], ids), counted, strict=False) if one]
    assert loss == pytest.approx(without - 0.5 * sum(logprobs) / len(logprobs), abs=1e-4)
    assert TreeTrainer(TreeSettings(revision_weight=0.5)).mixes_conversations
    assert not TreeTrainer(TreeSettings()).mixes_conversations


@pytest.mark.parametrize("lora", [False, True])
def test_a_stopped_training_goes_on_to_the_same_weights(
    lora: bool, rows: list[ActionRow], start: Checkpoint, tmp_path: Path
) -> None:
    dataset = action_set([*rows, *rows])
    whole = train(dataset, start, tmp_path / "whole", lora=lora)

    def stop(step: int, _: object) -> None:
        if step == 3:
            raise Interrupted("here")

    with pytest.raises(Interrupted):
        train(dataset, start, tmp_path / "cut", report=stop, lora=lora)
    resumed = train(dataset, start, tmp_path / "cut", resume=True, lora=lora)
    assert weights(resumed) == weights(whole) != (start.path / "model.safetensors").read_bytes()
    assert resumed.metrics["drift_largest"] == whole.metrics["drift_largest"] < 1e-4
    assert (tmp_path / "whole" / "adapter").is_dir() == lora


def test_a_training_that_goes_too_far_ends(rows: list[ActionRow], start: Checkpoint, tmp_path: Path) -> None:
    dataset = action_set([*rows, *rows])
    far = {"learning_rate": 3e-2, "epochs": 4, "schedule": "constant"}
    whole = train(dataset, start, tmp_path / "whole", **far, max_kl=None)
    ended = train(dataset, start, tmp_path / "ended", **far, max_kl=0.01)
    assert ended.step < whole.step and ended.metrics["ended_far"] == 1.0 and whole.metrics["ended_far"] == 0.0
    assert (ended.path / "model.safetensors").is_file() and ended.metrics["kl"] > 0.01


def test_training_ends_once_hardly_a_choice_is_left(rows: list[ActionRow], start: Checkpoint, tmp_path: Path) -> None:
    """Every action is made likelier, the entropy of eight steps falls, and a training that goes on counts all eight."""
    better = [replace(row, q=1.0, baseline=0.0, root=0.0) for row in rows]
    dataset = action_set([*better, *better])
    sure = {"learning_rate": 3e-2, "epochs": 6, "schedule": "constant", "max_kl": None, "clip_high": 1e9}
    whole = train(dataset, start, tmp_path / "whole", **sure, min_entropy=None)
    ended = train(dataset, start, tmp_path / "ended", **sure, min_entropy=0.9)
    assert whole.metrics["ended_low"] == 0.0 and whole.metrics["entropy"] < 0.9 * whole.metrics["entropy_before"]
    assert ended.metrics["ended_low"] == 1.0 and 8 <= ended.step < whole.step


def test_every_setting_tells_trainings_apart(start: Checkpoint) -> None:
    def known(settings: TreeSettings) -> dict[str, Any]:
        return identity(settings, start, "hash", 1, "fp32")

    changed = {
        "loss": "awr", "whole_tree": 0.0, "ratio": "turn", "clip_low": 0.1, "clip_high": 0.5, "dual_clip": 2.0,
        "awr_temperature": 1.0, "awr_most": 9.0, "revision_weight": 0.5, "max_rows_per_tree": 9, "checked_rows": 3,
        "max_drift": 0.5, "max_far": 0.5, "max_kl": None, "min_entropy": 0.5, "schedule": "cosine",
        "learning_rate": 1e-6,
    }  # fmt: skip
    assert set(TreeSettings.__annotations__) - {"epochs", "batch_size"} <= set(changed)
    for name, value in changed.items():
        (found,) = differences(known(TreeSettings()), known(TreeSettings(**{name: value})))
        assert found.startswith(f"{name}: ")


def test_another_setting_does_not_go_on_with_a_training(
    rows: list[ActionRow], start: Checkpoint, tmp_path: Path
) -> None:
    train(action_set(rows), start, tmp_path, epochs=1)
    with pytest.raises(ResumeError, match=r"whole_tree: 0\.5 -> 0\.0"):
        train(action_set(rows), start, tmp_path, resume=True, epochs=1, whole_tree=0.0)
