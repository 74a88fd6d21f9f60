"""Preferences on TRL with a small model: what counts, the reference that is stored, stopping and going on."""

from __future__ import annotations

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


def test_a_stopped_training_goes_on_to_the_same_weights(start: Checkpoint, tmp_path: Path) -> None:
    dataset = toy_set("preferences", 16)
    whole = train(dataset, start, tmp_path / "whole")

    def stop(step: int, _: object) -> None:
        if step == 3:
            raise Interrupted("here")

    with pytest.raises(Interrupted):
        train(dataset, start, tmp_path / "cut", report=stop)
    resumed = train(dataset, start, tmp_path / "cut", resume=True)
    assert weights(resumed) == weights(whole)
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
        "loss": "ipo", "sft_weight": 0.0, "learning_rate": 1e-6, "lora": True,
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


def test_an_attempt_that_the_template_takes_apart_is_no_pair(tokenizer_with: Any) -> None:
    tokenizer = tokenizer_with("forgetful")
    assert render_pair(pair(3), tokenizer, max_length=1024, options={}) == "split"
    assert not isinstance(render_pair(pair(3, "step"), tokenizer, max_length=1024, options={}), str)
