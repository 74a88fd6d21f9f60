"""Preferences on TRL with a small model: what counts, the reference that is stored, stopping and going on."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentr_core import (
    Checkpoint,
    Completion,
    Interrupted,
    Message,
    NothingToDo,
    PreferencePair,
    PreferenceSet,
    ResumeError,
)
from agentr_core.interfaces.training_sets import Rows
from agentr_core.testing import toy_set

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from agentr_dpo.config import DPOSettings  # noqa: E402
from agentr_dpo.pairs import is_wanted, render_pair, taken  # noqa: E402
from agentr_dpo.trainer import DPO  # noqa: E402
from agentr_training.identity import differences, identity  # noqa: E402
from agentr_training.model import load  # noqa: E402
from gradients import token_logprobs, trained_positions  # noqa: E402

pytestmark = pytest.mark.model

QUICK: dict[str, Any] = {"batch_size": 4, "learning_rate": 3e-3, "epochs": 1, "save_steps": 2, "precision": "fp32"}
HEAD = (Message("system", "You craft things."), Message("user", "Goal: craft 4 sticks."))


def turn(said: str) -> Message:
    return Message("assistant", f"Thought: so be it.\nAction: {said}", train=True)


def attempt(*actions: str) -> tuple[Message, ...]:
    turns: list[Message] = []
    for said in actions:
        turns += (turn(said), Message("user", f"You see {said}."))
    return tuple(turns[:-1])


def pair(number: int, kind: Any = "trajectory", **more: Any) -> PreferencePair:
    prompt = (*HEAD[:1], Message("user", f"Goal: craft {number} sticks."))
    if kind == "step":
        return PreferencePair(prompt, (turn("get planks"),), (turn("get stone"),), "step", 0.5, 3, **more)
    chosen, rejected = attempt("get planks", "craft 4 stick"), attempt("get stone", "look", "craft 4 stone")
    return PreferencePair(prompt, chosen, rejected, "trajectory", 1.0, **more)


def pair_set(pairs: Sequence[PreferencePair], **more: Any) -> PreferenceSet:
    return PreferenceSet("test", Rows(lambda: pairs, len(pairs)), "hash", **more)


@pytest.fixture
def start(model_folder: Path) -> Checkpoint:
    return Checkpoint(model=str(model_folder), base_model="base")


@pytest.fixture(scope="module")
def plain(model_folder: Path) -> tuple[Any, Any]:
    return load(str(model_folder), torch.float32)


def drawn_by(plain: tuple[Any, Any], each: PreferencePair) -> PreferencePair:
    """The pair as it would be stored: each turn with the tokens and log-probabilities that the model draws it with."""
    model, tokenizer = plain
    rendered = render_pair(each, tokenizer, max_length=1024, options={})
    assert not isinstance(rendered, str)
    sides = []
    for row, turns in ((rendered.chosen, each.chosen), (rendered.rejected, each.rejected)):
        logprobs, runs, before = token_logprobs(model, list(row.input_ids)), list[list[int]](), False
        for place, label in enumerate(row.labels):
            runs += [[]] if label != -100 and not before else []
            if label != -100:
                runs[-1].append(place)
            before = label != -100
        said = [message.content for message in turns if message.train]
        ids = row.input_ids
        sides.append(
            tuple(
                Completion(text=text, token_ids=[ids[at] for at in run], logprobs=[logprobs[at] for at in run])
                for text, run in zip(said, runs, strict=True)
            )
        )
    return replace(each, chosen_drawn=sides[0], rejected_drawn=sides[1])


def first_batch(dataset: PreferenceSet, plain: tuple[Any, Any], folder: Path, **settings: Any) -> tuple[Any, Any]:
    dpo = DPO(DPOSettings(**{**QUICK, **settings}))
    model, tokenizer = load(plain[0].config._name_or_path, torch.float32)
    rows, _ = dpo.render(dataset, tokenizer, 1024, {})
    trainer = dpo.trainer(model, tokenizer, rows, dpo.arguments(folder, 1, 5), 1)
    return trainer, next(iter(trainer.get_train_dataloader()))


def train(dataset: PreferenceSet, start: Checkpoint, out: Path, *, resume: bool = False, **more: Any) -> Checkpoint:
    report = more.pop("report", None)
    return DPO(DPOSettings(**{**QUICK, **more})).train(dataset, start, out, resume=resume, seed=5, report=report)


def weights(checkpoint: Checkpoint) -> bytes:
    return (checkpoint.path / "model.safetensors").read_bytes()


@pytest.mark.parametrize("lora", [False, True])
def test_the_log_probabilities_are_those_of_the_agents_turns_alone(
    lora: bool, plain: tuple[Any, Any], tmp_path: Path
) -> None:
    trainer, batch = first_batch(pair_set([pair(3)]), plain, tmp_path, lora=lora, sft_weight=0.0)
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, dict(batch)).item()
    tokenizer = plain[1]
    for side, ids, mask in zip(("chosen", "rejected"), batch["input_ids"], batch["completion_mask"], strict=True):
        kept = ids[: int(batch["attention_mask"][0 if side == "chosen" else 1].sum())].tolist()
        by_hand = sum(
            value for value, counts in zip(token_logprobs(plain[0], kept), mask.tolist(), strict=False) if counts
        )
        assert trainer._metrics["train"][f"logps/{side}"][-1] == pytest.approx(by_hand, abs=2e-3)
        said = tokenizer.decode([token for token, counts in zip(kept, mask.tolist(), strict=False) if counts])
        turns = [message.content for message in getattr(pair(3), side) if message.train]
        assert said == "".join(f"{content}<|end|>" for content in turns)
    assert loss == pytest.approx(0.6931, abs=1e-3), "at the start both sides are as likely as in the reference"


@pytest.mark.parametrize("mixed", [0.0, 0.5])
def test_observations_carry_no_gradient(mixed: float, plain: tuple[Any, Any], tmp_path: Path) -> None:
    trainer, batch = first_batch(pair_set([pair(3), pair(4, "step")]), plain, tmp_path, sft_weight=mixed)
    assert torch.equal(trained_positions(trainer, batch), batch["completion_mask"].bool())


def test_what_is_stored_is_the_reference_where_the_start_grew_the_trees(plain: tuple[Any, Any], tmp_path: Path) -> None:
    pairs = [drawn_by(plain, pair(3)), drawn_by(plain, pair(4, "step"))]
    known, stored = first_batch(pair_set(pairs, on_policy=True), plain, tmp_path)
    made, computed = first_batch(pair_set(pairs), plain, tmp_path)
    for name in ("ref_chosen_logps", "ref_rejected_logps"):
        assert torch.allclose(stored[name], computed[name], atol=1e-4)
    assert known.ref_model is None and made.ref_model is None
    other = replace(pairs[0], chosen_drawn=(None, *pairs[0].chosen_drawn[1:]))
    _, counts = DPO(DPOSettings()).render(pair_set([other], on_policy=True), plain[1], 1024, {})
    assert counts["stored_reference"] == 0.0, "one turn of it was not drawn"


def test_the_mixture_adds_the_loss_of_the_better_side(plain: tuple[Any, Any], tmp_path: Path) -> None:
    trainer, batch = first_batch(pair_set([pair(3)]), plain, tmp_path, sft_weight=0.5)
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, dict(batch)).item()
    tokens = int(batch["completion_mask"][0].sum())
    chosen = trainer._metrics["train"]["logps/chosen"][-1] / tokens
    assert loss == pytest.approx(0.6931 - 0.5 * chosen, abs=2e-3)


@pytest.mark.parametrize("lora", [False, True])
def test_a_stopped_training_goes_on_to_the_same_weights(lora: bool, start: Checkpoint, tmp_path: Path) -> None:
    dataset = toy_set("preferences", 16)
    whole = train(dataset, start, tmp_path / "whole", lora=lora)

    def stop(step: int, _: object) -> None:
        if step == 3:
            raise Interrupted("here")

    with pytest.raises(Interrupted):
        train(dataset, start, tmp_path / "cut", report=stop, lora=lora)
    resumed = train(dataset, start, tmp_path / "cut", resume=True, lora=lora)
    assert weights(resumed) == weights(whole) != (start.path / "model.safetensors").read_bytes()
    assert whole.metrics["accuracy"] == 1.0 and whole.metrics["margin"] > 0
    assert whole.metrics["step_pairs"] == whole.metrics["trajectory_pairs"] == 8


def test_adapters_are_merged_and_kept_beside(start: Checkpoint, tmp_path: Path) -> None:
    made = train(toy_set("preferences", 8), start, tmp_path, lora=True)
    assert (tmp_path / "adapter" / "adapter_config.json").is_file()
    assert weights(made) != (start.path / "model.safetensors").read_bytes()
    _, tokenizer = load(made.model, torch.float32)
    assert tokenizer.chat_template


def test_which_pairs_are_taken() -> None:
    settings = DPOSettings(min_gap=0.3, min_visits=2, max_longer=1)
    step = pair(1, "step")
    assert is_wanted(step, settings) and is_wanted(replace(step, visits=None), settings)
    assert not is_wanted(replace(step, gap=0.2), settings) and not is_wanted(replace(step, visits=1), settings)
    assert is_wanted(pair(1), settings) and not is_wanted(pair(1), DPOSettings(max_longer=0))
    assert not is_wanted(step, DPOSettings(pairs="trajectory")) and not is_wanted(pair(1), DPOSettings(pairs="step"))
    many = [replace(step, gap=0.3 + 0.1 * number, origin={"tree": number % 2}) for number in range(6)]
    assert taken(many, DPOSettings(max_pairs_per_tree=2)) == many[2:]


def test_every_setting_tells_trainings_apart(start: Checkpoint) -> None:
    def known(settings: DPOSettings) -> dict[str, Any]:
        return identity(settings, start, "hash", 1, "fp32")

    changed = {
        "pairs": "step", "min_gap": 0.2, "min_visits": 3, "max_longer": None, "max_pairs_per_tree": 3, "beta": 0.2,
        "loss": "ipo", "desirable_weight": 2.0, "undesirable_weight": 0.5, "sft_weight": 0.0, "learning_rate": 1e-6,
        "lora": True,
    }  # fmt: skip
    own = set(DPOSettings.__annotations__) - {"epochs", "batch_size", "max_length"}
    assert own <= set(changed)
    for name, value in changed.items():
        (found,) = differences(known(DPOSettings()), known(DPOSettings(**{name: value})))
        assert found.startswith(f"{name}: ")


def test_another_setting_does_not_go_on_with_a_training(start: Checkpoint, tmp_path: Path) -> None:
    train(toy_set("preferences", 4), start, tmp_path)
    with pytest.raises(ResumeError, match=r"beta: 0\.1 -> 0\.3"):
        train(toy_set("preferences", 4), start, tmp_path, resume=True, beta=0.3)


def test_what_cannot_be_learnt_is_said(start: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match=r"none of the 8 pairs is wanted .* lower dpo\.min_gap"):
        train(toy_set("preferences", 8), start, tmp_path / "a", pairs="step", min_gap=0.9)
    with pytest.raises(NothingToDo, match=r"none of the 8 pairs fits dpo\.max_length=16"):
        train(toy_set("preferences", 8), start, tmp_path / "b", max_length=16)


def test_that_nothing_can_be_learnt_is_said_before_the_weights_are_read(start: Checkpoint, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(start.path, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(NothingToDo):
        train(toy_set("preferences", 8), start.model_copy(update={"model": str(bare)}), tmp_path / "out", max_length=16)


def test_an_attempt_that_the_template_takes_apart_is_no_pair(tokenizer_with: Any) -> None:
    tokenizer = tokenizer_with("forgetful")
    assert render_pair(pair(3), tokenizer, max_length=1024, options={}) == "split"
    assert not isinstance(render_pair(pair(3, "step"), tokenizer, max_length=1024, options={}), str)


def log_ratio(plain: tuple[Any, Any], model: Any, ids: list[int], mask: list[int]) -> float:
    sums = [
        sum(value for value, counts in zip(token_logprobs(each, ids), mask, strict=True) if counts) for each in plain
    ]
    return sums[0] - sums[1]


def kto_batch(plain: tuple[Any, Any], folder: Path, **settings: Any) -> tuple[Any, Any, float, float]:
    """A batch of two pairs for a model that is not the reference any more; its loss and point of reference."""
    pairs = pair_set([pair(3), pair(4, "step")])
    trainer, batch = first_batch(pairs, plain, folder, loss="kto", sft_weight=0.0, **settings)
    torch.manual_seed(7)
    with torch.no_grad():
        for weight in trainer.model.parameters():
            weight += 0.3 * torch.randn_like(weight) * weight.abs().mean()
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, dict(batch)).item()
    return trainer, batch, loss, trainer._metrics["train"]["kl"][-1]


def rows_of(batch: Any, prefix: str = "") -> list[tuple[list[int], list[int]]]:
    columns = (batch[f"{prefix}{name}"].tolist() for name in ("input_ids", "attention_mask", "completion_mask"))
    return [(ids[: sum(kept)], mask[: sum(kept)]) for ids, kept, mask in zip(*columns, strict=True)]


def test_kto_is_its_formula_over_each_side(plain: tuple[Any, Any], tmp_path: Path) -> None:
    trainer, batch, loss, point = kto_batch(plain, tmp_path, beta=0.5, desirable_weight=2.0, undesirable_weight=0.5)
    models = (trainer.model, plain[0])
    crossed = [log_ratio(models, trainer.model, *row) for row in rows_of(batch, "crossed_")]
    assert point == pytest.approx(max(0.0, sum(crossed) / 4), abs=1e-3)
    ratios = [log_ratio(models, trainer.model, *row) for row in rows_of(batch)]
    sides = [2.0 / (1 + math.exp(0.5 * (ratio - point))) for ratio in ratios[:2]]
    sides += [0.5 / (1 + math.exp(0.5 * (point - ratio))) for ratio in ratios[2:]]
    assert loss == pytest.approx(sum(sides) / 4, abs=1e-3)
    assert any(abs(ratio) > 0.05 for ratio in ratios), "the model is still the reference"


def test_kto_crosses_each_prompt_with_what_another_went_on_with(plain: tuple[Any, Any], tmp_path: Path) -> None:
    _, batch, _, _ = kto_batch(plain, tmp_path)
    own = [(ids[: mask.index(1)], ids[mask.index(1) :]) for ids, mask in rows_of(batch)]
    assert own[0][0] == own[2][0] != own[1][0] == own[3][0]
    longest = max(len(start) + len(rest) for start, rest in own)
    expected = [[*own[place][0], *own[other][1]][:longest] for place, other in enumerate((1, 0, 3, 2))]
    assert [ids for ids, _ in rows_of(batch, "crossed_")] == expected
    alone, _ = first_batch(pair_set([pair(3)]), plain, tmp_path, loss="kto")
    alone.model.train()
    batch = next(iter(alone.get_train_dataloader()))
    assert math.isfinite(alone.compute_loss(alone.model, dict(batch)).item())
    assert alone._metrics["train"]["kl"][-1] == 0.0, "there is nothing to cross"


def test_kto_counts_no_observation(plain: tuple[Any, Any], tmp_path: Path) -> None:
    trainer, batch = first_batch(pair_set([pair(3), pair(4, "step")]), plain, tmp_path, loss="kto")
    assert torch.equal(trained_positions(trainer, batch), batch["completion_mask"].bool())


def test_kto_learns_and_goes_on_to_the_same_weights(start: Checkpoint, tmp_path: Path) -> None:
    dataset = toy_set("preferences", 16)
    whole = train(dataset, start, tmp_path / "whole", loss="kto")

    def stop(step: int, _: object) -> None:
        if step == 3:
            raise Interrupted("here")

    with pytest.raises(Interrupted):
        train(dataset, start, tmp_path / "cut", loss="kto", report=stop)
    assert weights(train(dataset, start, tmp_path / "cut", resume=True, loss="kto")) == weights(whole)
    assert whole.metrics["accuracy"] == 1.0 and whole.metrics["margin"] > 0
