"""The trainer on TRL with a real, small model: it learns what it must, stops and goes on, and leaves a whole model."""

from __future__ import annotations

import gc
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from training_fixtures import TEMPLATES

from agentr_core import (
    AgentrError,
    Checkpoint,
    Example,
    Interrupted,
    Message,
    NothingToDo,
    ResumeError,
    TrainingSet,
    UsageError,
    content_hash,
    read_dataset,
)
from agentr_core.train.export import example_row, prompt_completion_rows, write_rows

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")

from agentr_sft.config import SFTSettings  # noqa: E402
from agentr_sft.trainer import SFT  # noqa: E402
from agentr_training.model import load, load_tokenizer  # noqa: E402
from gradients import trained_positions  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: E402

pytestmark = pytest.mark.model

Revision = Callable[[int], Example]
COUNTS = ("examples", "general", "shortened", "dropped", "untrained", "max_length", "longest")
QUICK = {"batch_size": 4, "learning_rate": 1e-2, "epochs": 3, "save_steps": 2}


@pytest.fixture(scope="module")
def dataset(revision: Revision) -> TrainingSet:
    examples = tuple(revision(number) for number in range(12))
    return TrainingSet("test", examples, content_hash([[turn.content for turn in each.messages] for each in examples]))


@pytest.fixture
def start(model_folder: Path) -> Checkpoint:
    return Checkpoint(model=str(model_folder), base_model="base")


def train(dataset: TrainingSet, start: Checkpoint, out: Path, *, resume: bool = False, **more: Any) -> Checkpoint:
    report = more.pop("report", None)
    return SFT(SFTSettings(**{**QUICK, **more})).train(dataset, start, out, resume=resume, seed=5, report=report)


def weights(checkpoint: Checkpoint) -> bytes:
    return (checkpoint.path / "model.safetensors").read_bytes()


def batches(dataset: TrainingSet, start: Checkpoint, tmp_path: Path, **settings: Any) -> tuple[Any, list[Any]]:
    """TRL's trainer and all batches of its own data loader."""
    sft = SFT(SFTSettings(**{**QUICK, **settings}))
    model, tokenizer = load(start.model, torch.float32)
    rows, _ = sft.render(dataset, tokenizer, 1024, {})
    trainer = sft.trainer(model, tokenizer, rows, sft.arguments(tmp_path, 1, 5), 1)
    return trainer, list(trainer.get_train_dataloader())


def trained_runs(batch: Any, tokenizer: Any) -> list[str]:
    """The unbroken runs of trained tokens in a batch, as text."""
    runs: list[list[int]] = []
    for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        before = -100
        for token, label in zip(ids, labels, strict=True):
            assert label in (-100, token)
            if label != -100:
                runs += [] if before != -100 else [[]]
                runs[-1].append(label)
            before = label
    return [tokenizer.decode(run) for run in runs]


def test_a_training_of_one_step_learns(dataset: TrainingSet, start: Checkpoint, tmp_path: Path) -> None:
    """A warm-up of a step would have a rate of 0 in it."""
    made = train(dataset, start, tmp_path, batch_size=16, epochs=1, weights="fp32")
    before = load(start.model, torch.float32)[0].state_dict()
    after = load(str(made.path), torch.float32)[0].state_dict()
    assert made.step == 1 and any(not torch.equal(after[name], before[name]) for name in before)


def test_a_training_of_so_many_tokens(dataset: TrainingSet, start: Checkpoint, tmp_path: Path) -> None:
    """Rows come as often as it takes: two and a half times here, and half of them once."""
    once = train(dataset, start, tmp_path / "once", epochs=1).metrics["trained_tokens"]
    tokenizer = load(start.model, torch.float32)[1]
    turns = [turn.content for example in dataset.examples for turn in example.messages if turn.train]
    assert once == sum(len(tokenizer.encode(f"{turn}<|end|>", add_special_tokens=False)) for turn in turns)
    for name, share in (("more", 2.5), ("less", 0.5)):
        made = train(dataset, start, tmp_path / name, epochs=9, trained_tokens=round(share * once))
        assert made.metrics["trained_tokens"] == round(share * once)
        assert made.step == math.ceil(share * len(dataset.examples) / QUICK["batch_size"])


@pytest.mark.parametrize("packing", [False, True])
def test_the_batches_train_the_signal_and_the_good_tail_only(
    packing: bool, dataset: TrainingSet, start: Checkpoint, tmp_path: Path
) -> None:
    trainer, loaded = batches(dataset, start, tmp_path, packing=packing)
    found = Counter(run for batch in loaded for run in trained_runs(batch, trainer.processing_class))
    turns = [turn.content for example in dataset.examples for turn in example.messages if turn.train]
    assert found == Counter(f"{turn}<|end|>" for turn in turns)
    if packing:
        assert len(loaded) < 3  # several conversations share a row, and each begins at position 0
        assert sum(int((batch["position_ids"] == 0).sum()) for batch in loaded) == len(dataset.examples)


def test_trl_itself_trains_the_same_turns_of_the_export_for_it(
    dataset: TrainingSet, start: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "trl.jsonl"
    write_rows((row for example in dataset.examples for row in prompt_completion_rows(example)), path)
    data = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    arguments = trl.SFTConfig(output_dir=str(tmp_path / "out"), use_cpu=True, report_to="none", bf16=False)
    model, tokenizer = load(start.model, torch.float32)
    theirs = trl.SFTTrainer(model=model, args=arguments, train_dataset=data, processing_class=tokenizer)
    found = Counter(run.strip() for batch in theirs.get_train_dataloader() for run in trained_runs(batch, tokenizer))
    turns = [turn.content for example in dataset.examples for turn in example.messages if turn.train]
    assert found == Counter(f"{turn}<|end|>" for turn in turns)


@pytest.mark.parametrize("packing", [False, True])
def test_the_loss_is_that_of_the_trained_tokens(
    packing: bool, dataset: TrainingSet, start: Checkpoint, tmp_path: Path
) -> None:
    trainer, (batch, *_) = batches(dataset, start, tmp_path, packing=packing, precision="fp32")
    with torch.no_grad():
        loss = trainer.compute_loss(trainer.model, dict(batch)).item()
        plain = AutoModelForCausalLM.from_pretrained(start.model)
        known = {name: batch[name] for name in ("attention_mask", "position_ids") if name in batch}
        logits = plain(input_ids=batch["input_ids"], **known).logits[:, :-1]
        targets = batch["labels"][:, 1:]
        trained = targets != -100
        chances = logits.log_softmax(-1).gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    assert loss == pytest.approx(-chances[trained].mean().item(), rel=1e-4)


@pytest.mark.parametrize("packing", [False, True])
def test_no_observation_carries_gradient(
    packing: bool, dataset: TrainingSet, start: Checkpoint, tmp_path: Path
) -> None:
    trainer, (batch, *_) = batches(dataset, start, tmp_path, packing=packing, precision="fp32")
    assert torch.equal(trained_positions(trainer, batch), batch["labels"] != -100)


def test_training_lowers_the_loss_and_leaves_a_model_to_load(
    dataset: TrainingSet, start: Checkpoint, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[int, Mapping[str, float]]] = []
    made = train(
        dataset, start, tmp_path / "out", epochs=6, report=lambda step, metrics: seen.append((step, dict(metrics)))
    )
    assert capfd.readouterr() == ("", "")
    assert [step for step, _ in seen] == list(range(19))
    assert seen.pop(0)[1] == {
        name: made.metrics.get(name, 0.0) for name in (*COUNTS, "rows", "dropped_turns", "epochs", "progress")
    }
    assert made.metrics["loss_last"] < 0.8 * made.metrics["loss_first"]
    assert made.metrics["loss_first"] == seen[0][1]["loss"]
    assert seen[-1][1]["progress"] == 1.0
    assert (made.iteration, made.step, made.base_model) == (1, 18, "base")
    assert (made.metrics["examples"], made.metrics["dropped"]) == (12, 0)

    model, tokenizer = AutoModelForCausalLM.from_pretrained(made.model), AutoTokenizer.from_pretrained(made.model)
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(start.model).chat_template
    assert model.config.use_cache
    assert not [*tmp_path.glob("out/trainer/*"), *tmp_path.glob("out/*.part")]
    assert torch.isfinite(model(**tokenizer("Goal: craft", return_tensors="pt")).logits).all()
    del model
    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) is LlamaForCausalLM]


KILLED = """
import json, os, signal, sys
from pathlib import Path
from agentr_core import Checkpoint, read_dataset
from agentr_sft.config import SFTSettings
from agentr_sft.trainer import SFT

data, model, out, settings = sys.argv[1:]
def report(step, metrics):
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
start, trainer = Checkpoint(model=model, base_model="base"), SFT(SFTSettings(**json.loads(settings)))
trainer.train(read_dataset(Path(data)), start, Path(out), resume=True, seed=5, report=report)
"""


def test_a_killed_training_goes_on_to_the_same_weights(dataset: TrainingSet, start: Checkpoint, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    write_rows(map(example_row, dataset.examples), data)
    command = [sys.executable, "-c", KILLED, str(data), start.model, str(tmp_path / "out"), json.dumps(QUICK)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [each.name for each in (tmp_path / "out" / "trainer").glob("checkpoint-*")] == ["checkpoint-4"]
    assert not (tmp_path / "out" / "model").exists()

    same, steps = read_dataset(data), list[int]()
    resumed = train(same, start, tmp_path / "out", resume=True, report=lambda step, _: steps.append(step))
    straight = train(same, start, tmp_path / "straight")
    assert steps == [0, 5, 6, 7, 8, 9]
    assert weights(resumed) == weights(straight)
    assert resumed.metrics == straight.metrics


def test_an_interrupted_packed_training_goes_on_to_the_same_weights(
    dataset: TrainingSet, start: Checkpoint, tmp_path: Path
) -> None:
    def interrupt(step: int, metrics: Mapping[str, float]) -> None:
        if step == 5:
            raise Interrupted("enough")

    packed = {"packing": True, "max_length": 600, "batch_size": 2}
    with pytest.raises(Interrupted):
        train(dataset, start, tmp_path / "out", report=interrupt, **packed)
    resumed = train(dataset, start, tmp_path / "out", resume=True, **packed)
    straight = train(dataset, start, tmp_path / "straight", **packed)
    assert weights(resumed) == weights(straight)
    assert resumed.metrics == straight.metrics


@pytest.mark.parametrize("when", [5, 9])
def test_an_interrupted_lora_training_goes_on_to_the_same_weights(
    when: int, dataset: TrainingSet, start: Checkpoint, tmp_path: Path
) -> None:
    def interrupt(step: int, metrics: Mapping[str, float]) -> None:
        if step == when:  # 9 is the last step
            raise Interrupted("enough")

    lora = {"lora": True, "lora_rank": 4, "schedule": "constant"}
    with pytest.raises(Interrupted):
        train(dataset, start, tmp_path / "out", report=interrupt, **lora)
    resumed = train(dataset, start, tmp_path / "out", resume=True, **lora)
    straight = train(dataset, start, tmp_path / "straight", **lora)
    assert weights(resumed) == weights(straight)
    assert resumed.metrics == straight.metrics
    # The adapter is merged: the model stands alone, and differs from the one it started from.
    assert not (resumed.path / "adapter_config.json").exists()
    assert (tmp_path / "out" / "adapter" / "adapter_config.json").is_file()
    assert weights(resumed) != weights(start)
    assert sorted(AutoModelForCausalLM.from_pretrained(resumed.model).state_dict()) == sorted(
        AutoModelForCausalLM.from_pretrained(start.model).state_dict()
    )


def test_a_finished_training_is_not_done_again(dataset: TrainingSet, start: Checkpoint, tmp_path: Path) -> None:
    first = train(dataset, start, tmp_path / "out", epochs=1)
    before = weights(first)
    assert train(dataset, start, tmp_path / "out", epochs=1, resume=True) == first
    assert weights(first) == before
    # Anew on demand, and to the same result; files that are not ours stay.
    (tmp_path / "out" / "notes.txt").touch()
    assert train(dataset, start, tmp_path / "out", epochs=1) == first
    assert weights(first) == before
    assert (tmp_path / "out" / "notes.txt").exists()


def test_conversations_that_do_not_fit_are_counted(dataset: TrainingSet, start: Checkpoint, tmp_path: Path) -> None:
    long = Message("assistant", "Action: " + "get 1 stick " * 300, train=True)
    none = Message("assistant", "Action: get 1 stick")
    steps = (Message("assistant", "Action: wait"), Message("user", "ok. " * 40))
    head, rest = dataset.examples[0].messages[:2], dataset.examples[0].messages[2:]
    more = (
        Example((Message("user", "a"), long), "general", {"file": "a.jsonl"}),
        Example((Message("user", "a"), none), "good"),
        Example((*head, *steps * 3, *rest), "general"),
    )
    made = train(
        TrainingSet("long", (*dataset.examples, *more), "hash"), start, tmp_path / "out", epochs=1, max_length=400
    )
    counts = {name: made.metrics[name] for name in COUNTS}
    longest = counts.pop("longest")
    assert counts == {
        "examples": 13, "general": 1, "shortened": 1, "dropped": 1, "untrained": 1, "max_length": 400
    }  # fmt: skip
    assert longest > 400
    with pytest.raises(NothingToDo, match=rf"none of the 1 conversations fits max_length=16 .*{longest:,.0f} tokens"):
        train(TrainingSet("long", more[:1], "hash"), start, tmp_path / "none", max_length=16)
    # The longest one is what the setting must be at least.
    kept = SFT(SFTSettings(max_length=int(longest)))
    tokenizer = AutoTokenizer.from_pretrained(start.model)
    rows, _ = kept.render(TrainingSet("long", more[:1], "hash"), tokenizer, int(longest))
    assert len(rows[0].input_ids) == longest
    with pytest.raises(NothingToDo, match=f"the model's context of {longest - 1:,.0f} tokens"):
        kept.render(TrainingSet("long", more[:1], "hash"), tokenizer, int(longest) - 1)
    with pytest.raises(NothingToDo, match="none of the 1 conversations has a turn to train"):
        kept.render(TrainingSet("long", more[1:2], "hash"), tokenizer, 400)


def test_a_conversation_that_the_template_refuses_is_named(
    dataset: TrainingSet, start: Checkpoint, tmp_path: Path, tokenizer_with: Callable[[str], Any]
) -> None:
    twice = (Message("user", "a"), Message("user", "b"), Message("assistant", "c", train=True))
    odd = TrainingSet("odd", (*dataset.examples, Example(twice, "general", {"file": "a.jsonl", "line": 3})), "hash")
    with pytest.raises(UsageError, match=r"conversation 13 of the dataset \(file a\.jsonl, line 3\)"):
        SFT(SFTSettings()).render(odd, tokenizer_with("strict"), 1024)


def test_what_cannot_be_trained_is_said(dataset: TrainingSet, start: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="the dataset is empty"):
        train(TrainingSet("none", (), "hash"), start, tmp_path / "out")
    with pytest.raises(UsageError, match=r"holds no model: it has no config.json"):
        train(dataset, start.model_copy(update={"model": str(tmp_path)}), tmp_path / "out")
    broken = tmp_path / "broken"
    model, tokenizer = load(start.model, torch.float32)
    tokenizer.save_pretrained(broken)
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    model.save_pretrained(broken)
    with pytest.raises(AgentrError, match="the loss is nan at step 1"):
        train(dataset, start.model_copy(update={"model": str(broken)}), tmp_path / "out")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(broken)
    (broken / "chat_template.jinja").unlink(missing_ok=True)
    with pytest.raises(UsageError, match="has no chat template"):
        train(dataset, start.model_copy(update={"model": str(broken)}), tmp_path / "out")


@pytest.mark.slow
def test_two_processes_train_one_model(dataset: TrainingSet, start: Checkpoint, tmp_path: Path) -> None:
    data, out = tmp_path / "data.jsonl", tmp_path / "out"
    write_rows(map(example_row, dataset.examples), data)
    launch = [
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes=2",
        "--num_machines=1",
        "--mixed_precision=no",
    ]
    command = [sys.executable, "-m", *launch, "-m", "agentr_sft", str(data), f"--model={start.model}", f"--out={out}"]
    options = ["-o", "batch_size=4", "-o", "epochs=3", "-o", "learning_rate=0.003", "-o", "save_steps=4"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    made = Checkpoint.model_validate_json(done.stdout)  # one process speaks
    assert made.step == 9  # 12 conversations, 2 processes of 2 each, 3 epochs
    assert made.metrics["loss_last"] < made.metrics["loss_first"]
    assert [line.split()[1] for line in done.stderr.splitlines() if line.startswith("step")] == list("123456789")
    assert LlamaForCausalLM.from_pretrained(out / "model").config.use_cache


def with_template(start: Checkpoint, place: Path, name: str) -> Checkpoint:
    """The model with another chat template."""
    shutil.copytree(start.model, place)
    (place / "chat_template.jinja").write_text((TEMPLATES / f"{name}.jinja").read_text())
    return start.model_copy(update={"model": str(place)})


def test_the_policys_template_options_are_trained_with(dataset: TrainingSet, start: Checkpoint, tmp_path: Path) -> None:
    thoughtful = with_template(start, tmp_path / "thoughtful", "qwen3")
    silent = thoughtful.model_copy(update={"template_options": {"enable_thinking": False}})
    quick = {"epochs": 1, "max_length": 1000}
    asked = train(dataset, silent, tmp_path / "asked", **quick)
    own = train(dataset, thoughtful, tmp_path / "own", template_options={"enable_thinking": False}, **quick)
    assert weights(asked) == weights(own)
    # The empty block of the prompt is not in history, so each trained turn is a row of its own.
    counted = ("examples", "rows", "dropped", "dropped_turns")
    assert [asked.metrics[name] for name in counted] == [12, 36, 0, 0]
    with pytest.raises(UsageError, match="are not those of the policy"):
        train(dataset, silent, tmp_path / "none", template_options={"enable_thinking": True}, **quick)
    with pytest.raises(ResumeError):
        train(dataset, thoughtful, tmp_path / "asked", resume=True, **quick)


def test_turns_that_do_not_fit_are_counted(dataset: TrainingSet, start: Checkpoint, tmp_path: Path) -> None:
    moving = with_template(start, tmp_path / "moving", "mistral03")
    long = Message("assistant", "Action: " + "get 1 stick " * 300, train=True)
    example = dataset.examples[0]
    longer = Example((*example.messages, long), example.kind)
    made = train(TrainingSet("one", (longer,), "hash"), moving, tmp_path / "out", epochs=1)
    assert [made.metrics[name] for name in ("examples", "rows", "dropped", "dropped_turns")] == [1, 3, 0, 1]


def test_a_start_is_looked_at_before_the_run(start: Checkpoint, tmp_path: Path) -> None:
    sft, told = SFT(SFTSettings()), "You craft things."
    said = sft.check(with_template(start, tmp_path / "a", "qwen3"), told)
    assert "each turn trained as it was asked, in a row of its own" in said
    with pytest.raises(UsageError, match=r"cannot be trained: .* cannot be taught to stop"):
        sft.check(with_template(start, tmp_path / "b", "endless"), told)
    with pytest.raises(UsageError, match=r"there is no model folder '.*gone'; give a model folder, a hub id"):
        sft.check(start.model_copy(update={"model": str(tmp_path / "gone")}), told)
    with pytest.raises(UsageError, match=r"sft.max_length: the instructions alone have \d+ tokens"):
        sft.check(start, told * 1000)
    differing = SFT(SFTSettings(template_options={"enable_thinking": True}))
    with pytest.raises(UsageError, match="leave them out"):
        differing.check(start.model_copy(update={"template_options": {}}), told)


@pytest.mark.parametrize("limit", [60, 100, 180, 1024])
def test_what_is_said_to_be_too_long_is_what_training_drops(limit: int, model_folder: Path, revision: Any) -> None:
    short = Example((Message("user", "hi"), Message("assistant", "hello", train=True)), "good")
    untrained = Example((Message("user", "hi " * 400), Message("assistant", "no")), "good")
    examples = (short, revision(1), untrained, revision(2))
    trainer, start = SFT(SFTSettings(max_length=limit)), Checkpoint(model=str(model_folder), base_model="base")
    long = trainer.too_long(examples, start)
    tokenizer = load_tokenizer(str(model_folder))
    _, counts = trainer.render(TrainingSet("all", examples, ""), tokenizer, limit)
    assert (len(long), max(long.values(), default=0)) == (counts["dropped"], counts["longest"])
    assert set(long) <= {1, 3} and (limit > 60 or long)
    left = tuple(example for place, example in enumerate(examples) if place not in long)
    assert trainer.render(TrainingSet("left", left, ""), tokenizer, limit)[1]["dropped"] == 0
