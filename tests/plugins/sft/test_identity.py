"""What tells trainings apart: all that a training depends on, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner

from agentr_core import (
    PLACE_SETTINGS,
    Checkpoint,
    Example,
    Message,
    ResumeError,
    TrainingSet,
    UsageError,
    content_hash,
    model_files,
)
from agentr_core.train.export import example_row, write_rows

pytest.importorskip("torch")
pytest.importorskip("trl")

from agentr_sft.__main__ import main
from agentr_sft.config import SFTSettings
from agentr_sft.trainer import SFT
from agentr_training.identity import differences, fingerprint, identity

pytestmark = pytest.mark.model

INPUTS: dict[str, Any] = {"dataset_hash": "data", "seed": 5, "precision": "fp32"}
OTHERS: dict[str, Any] = {"epochs": (1.0,), "template_options": {"a": 1}, "warmup_ratio": 0.5, "trained_tokens": 500}


def other_value(name: str) -> Any:
    """Another value of a setting that it can have."""
    field, now = SFTSettings.model_fields[name], getattr(SFTSettings(), name)
    if name in OTHERS:
        return OTHERS[name]
    if choices := [choice for choice in get_args(field.annotation) if choice != now]:
        return choices[0]
    return (not now) if isinstance(now, bool) else now + 1


def of(start: Checkpoint, settings: SFTSettings | None = None, **changed: Any) -> dict[str, Any]:
    return identity(settings or SFTSettings(), start, **{**INPUTS, **changed})


@pytest.fixture
def start(model_folder: Path) -> Checkpoint:
    return Checkpoint(model=str(model_folder), base_model="base")


@pytest.mark.parametrize("name", [name for name in SFTSettings.model_fields if name not in PLACE_SETTINGS])
def test_every_setting_tells_trainings_apart(name: str, start: Checkpoint) -> None:
    changed = SFTSettings(**{name: other_value(name)})
    (told,) = differences(of(start), of(start, changed))
    assert told.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("dataset_hash", "other", "another dataset"),
        ("seed", 6, "seed: 5 -> 6"),
        ("checkpoints", "fsdp2", "checkpoints: whole -> fsdp2"),
        ("precision", "bf16", "precision: fp32 -> bf16"),
    ],
)
def test_every_input_tells_trainings_apart(name: str, value: Any, told: str, start: Checkpoint) -> None:
    assert differences(of(start), of(start, **{name: value})) == [told]
    assert differences(of(start), of(start.model_copy(update={"iteration": 1}))) == ["iteration: 1 -> 2"]
    assert differences(of(start), of(start)) == []


def test_how_many_processes_share_a_training_does_not(start: Checkpoint) -> None:
    spread = SFTSettings(processes=2, sharding="fsdp2", accelerate="mine.yaml")
    assert differences(of(start), of(start, spread)) == []
    before = {key: value for key, value in of(start).items() if key != "checkpoints"}
    assert differences({**before, "processes": 1}, of(start)) == [], "begun before it was so"
    assert differences({**before, "processes": 2}, of(start)) == ["processes: 2 -> None"]


def test_a_model_is_what_its_files_are(start: Checkpoint, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(start.model, tmp_path / "copy"))
    moved = start.model_copy(update={"model": str(copy)})
    before = of(moved)
    assert differences(of(start), before) == []  # the project was moved
    (copy / "agentr.json").write_text("{}")
    assert of(moved) == before
    for path in sorted(copy.iterdir()):
        if path.name in ("agentr.json", "generation_config.json"):
            continue
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert differences(before, of(moved)) == [f"the files of the model {copy} have changed"], path.name
        assert differences(of(start), of(moved)) == [f"model: {start.model} -> {copy}"]
        path.write_bytes(whole)
    assert of(moved) == before
    shutil.rmtree(copy)
    assert differences(before, of(moved)) == []  # one that is gone is known by its name alone
    assert differences(of(start), of(moved)) == [f"model: {start.model} -> {copy}"]


def test_of_large_weights_pieces_from_start_to_end_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "_WHOLE_BYTES", 1000)
    monkeypatch.setattr(model_files, "_PIECES", 10)
    monkeypatch.setattr(model_files, "_PIECE_BYTES", 100)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(bytes(5000))
    before, seen = fingerprint(str(tmp_path)), 0
    for place in range(0, 5000, 50):
        data = bytearray(5000)
        data[place] = 1
        weights.write_bytes(data)
        seen += fingerprint(str(tmp_path)) != before
    assert seen >= 20  # a fifth of the file
    weights.write_bytes(bytes(5001))
    assert fingerprint(str(tmp_path)) != before


@pytest.fixture
def dataset() -> TrainingSet:
    turns = (Message("user", "Goal: craft stick."), Message("assistant", "Action: get 2 oak planks", train=True))
    examples = tuple(Example((Message("system", f"{number}"), *turns), "good") for number in range(4))
    return TrainingSet("test", examples, content_hash([each.content() for each in examples]))


def test_the_program_refuses_another_model_or_iteration_in_the_same_folder(
    dataset: TrainingSet, start: Checkpoint, tmp_path: Path
) -> None:
    data, out = tmp_path / "data.jsonl", tmp_path / "out"
    write_rows(map(example_row, dataset.examples), data)
    with data.open("a", encoding="utf-8") as file:
        file.write('{"messages": []}\n')
    other = Path(shutil.copytree(start.model, tmp_path / "other"))
    (other / "config.json").write_text((other / "config.json").read_text() + "\n")

    def words(model: str, *more: str) -> list[str]:
        return [str(data), f"--model={model}", f"--out={out}", "-o", "epochs=1", *more]

    # Here, where all that it imports is imported already; test_sft.py starts the program itself.
    done = CliRunner().invoke(main, words(start.model))
    assert done.exit_code == 0, done.stderr
    assert f"'{data}': 1 of 5 skipped (1 empty, line 5)" in done.stderr
    again = CliRunner().invoke(main, words(start.model))
    assert (again.exit_code, again.stdout) == (0, done.stdout)  # it is over: not done again
    refused = CliRunner().invoke(main, words(str(other), "--iteration=2"))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"(model: {start.model} -> {other}; iteration: 1 -> 2); name another --out" in refused.stderr
    assert "remove" not in refused.stderr


def test_nothing_is_overwritten_that_no_training_made(dataset: TrainingSet, start: Checkpoint, tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "model"
    shutil.copytree(start.model, mine)
    own = start.model_copy(update={"model": str(mine)})
    before = fingerprint(str(mine))
    for resume in (True, False):
        with pytest.raises(UsageError, match="is there already, and not from a training; name another --out"):
            SFT(SFTSettings()).train(dataset, own, tmp_path / "mine", resume=resume)
    assert fingerprint(str(mine)) == before
    made = SFT(SFTSettings(epochs=1)).train(dataset, own, tmp_path / "out", resume=True)
    for resume in (True, False):
        with pytest.raises(UsageError, match=r"would overwrite .* which it starts from"):
            SFT(SFTSettings()).train(dataset, made, tmp_path / "out", resume=resume)
    with pytest.raises(ResumeError, match="epochs"):
        SFT(SFTSettings(epochs=3)).train(dataset, own, tmp_path / "out", resume=True)
