"""Trainings on several processes: real ones, on gloo, against one process with the same settings."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from agentr_core import AgentrError, Checkpoint, Interrupted, MissingDependencyError, NothingToDo, UsageError
from agentr_core.testing import toy_set

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("peft")
psutil = pytest.importorskip("psutil")

from agentr_dpo.config import DPOSettings  # noqa: E402
from agentr_dpo.trainer import DPO  # noqa: E402
from agentr_sft.config import SFTSettings  # noqa: E402
from agentr_sft.trainer import SFT  # noqa: E402
from agentr_training.model_trainer import ModelTrainer  # noqa: E402
from agentr_tree.config import TreeSettings  # noqa: E402
from agentr_tree.trainer import TreeTrainer  # noqa: E402
from agentr_value.config import ValueSettings  # noqa: E402
from agentr_value.trainer import ValueTrainer  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

pytestmark = pytest.mark.model

#: 9 rows in steps of 4: the last step is of one row, so that the second of two processes has none of its own.
ROWS = 9
QUICK: dict[str, Any] = {"batch_size": 4, "epochs": 1.0, "save_steps": 1, "precision": "fp32", "learning_rate": 3e-3}
LORA: dict[str, Any] = {**QUICK, "epochs": 2.0, "lora": True, "lora_rank": 4}
CLOSE = {"rtol": 1e-3, "atol": 2e-5}


class Seen:
    """What a training reports, by step; kills a process of it, or stops it, at a step where it is told to."""

    def __init__(self, kill_at: int | None = None, stop_at: int | None = None) -> None:
        self.metrics: dict[int, Mapping[str, float]] = {}
        self._kill_at, self._stop_at = kill_at, stop_at

    def __call__(self, step: int, metrics: Mapping[str, float]) -> None:
        self.metrics[step] = metrics
        if step == self._kill_at:
            children = psutil.Process().children(recursive=True)
            of_it = [each for each in children if "agentr_training.rank" in each.cmdline()]
            next(each for each in of_it if each.environ()["RANK"] == "1").send_signal(signal.SIGKILL)
        if step == self._stop_at:
            raise Interrupted("enough")

    def named(self, name: str) -> list[float]:
        return [metrics[name] for _, metrics in sorted(self.metrics.items()) if name in metrics]


@pytest.fixture
def start(model_folder: Path) -> Checkpoint:
    return Checkpoint(model=str(model_folder), base_model="base")


def train(trainer: ModelTrainer[Any, Any], start: Checkpoint, out: Path, **more: Any) -> Checkpoint:
    return trainer.train(toy_set(trainer.reads, ROWS), start, out, resume=True, seed=5, **more)


def weights(made: Checkpoint) -> dict[str, Any]:
    return dict(load_file(made.path / "model.safetensors"))


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    """All weights, and all metrics, but for rounding."""
    ours, theirs = weights(one), weights(other)
    assert sorted(ours) == sorted(theirs)
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], **CLOSE)
    assert one.step == other.step and one.metrics == pytest.approx(other.metrics, rel=1e-3, abs=1e-4)


def test_a_process_that_is_killed_ends_all_and_the_rest_is_done_by_two_as_by_one(
    start: Checkpoint, tmp_path: Path
) -> None:
    spread, killed, rest, whole = SFT(SFTSettings(**LORA, processes=2)), Seen(kill_at=3), Seen(), Seen()
    with pytest.raises(AgentrError, match=r"^process 1 of the training was ended by SIGKILL.*: .*$"):
        train(spread, start, tmp_path / "two", report=killed)
    assert (tmp_path / "two" / "trainer").is_dir() and not (tmp_path / "two" / "model").exists()
    two = train(spread, start, tmp_path / "two", report=rest)
    one = train(SFT(SFTSettings(**LORA)), start, tmp_path / "one", report=whole)
    assert min(step for step in rest.metrics if step) > 1  # it went on from a checkpoint
    seen = Seen()
    seen.metrics = {**killed.metrics, **rest.metrics}
    assert sorted(seen.metrics) == sorted(whole.metrics) == list(range(6))
    for name in ("loss", "grad_norm", "learning_rate", "mean_token_accuracy", "progress", "examples"):
        assert seen.named(name) == pytest.approx(whole.named(name), rel=1e-3), name
    assert_same(two, one)  # with the adapter in it
    assert not (two.path / "adapter_config.json").exists() and (two.path.parent / "adapter").is_dir()


#: Run by every Python that is started: accelerate shares models out among GPUs alone, and takes two CPUs for such here.
AS_GPUS = """
from accelerate import state
def init(self, *given, before=state.AcceleratorState.__init__, **named):
    shared = state.PartialState._shared_state
    if shared.get("distributed_type") == state.DistributedType.MULTI_CPU:
        shared["distributed_type"] = state.DistributedType.MULTI_GPU
    before(self, *given, **named)
state.AcceleratorState.__init__ = init
"""


def test_parts_of_the_model_come_together_again(
    start: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FSDP2 on gloo: each process holds a part of the weights; stopped and gone on with; what is left is whole."""
    (tmp_path / "sitecustomize.py").write_text(AS_GPUS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setattr("agentr_training.spreading.gpu_count", lambda: 2)
    parts, stopped, rest = SFT(SFTSettings(**LORA, processes=2, sharding="fsdp2")), Seen(stop_at=3), Seen()
    with pytest.raises(Interrupted):
        train(parts, start, tmp_path / "parts", report=stopped)
    assert list((tmp_path / "parts" / "trainer").rglob("pytorch_model_fsdp.bin")), "the weights were in parts"
    made = train(parts, start, tmp_path / "parts", report=rest)
    assert min(step for step in rest.metrics if step) > 1  # it went on from a checkpoint
    monkeypatch.setattr("agentr_training.spreading.gpu_count", lambda: 0)
    assert_same(made, train(SFT(SFTSettings(**LORA)), start, tmp_path / "one"))


def test_preferences_are_learnt_by_two_as_by_one(start: Checkpoint, tmp_path: Path) -> None:
    """Full fine-tuning, the reference computed by both, rows from a file; and a word of one ends all."""
    two, one = Seen(), Seen()
    made = train(DPO(DPOSettings(**QUICK, processes=2)), start, tmp_path / "two", report=two)
    assert_same(made, train(DPO(DPOSettings(**QUICK)), start, tmp_path / "one", report=one))
    for name in ("loss", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected"):
        assert two.named(name) == pytest.approx(one.named(name), rel=1e-3, abs=1e-4), name
    with pytest.raises(NothingToDo, match=r"^none of the 9 pairs fits dpo\.max_length=16; raise it$"):
        train(DPO(DPOSettings(**QUICK, max_length=16, processes=2)), start, tmp_path / "none")


LOSSES: tuple[Any, ...] = get_args(DPOSettings.model_fields["loss"].annotation)
TRAINERS: list[ModelTrainer[Any, Any]] = [
    *(DPO(DPOSettings(**QUICK, loss=loss)) for loss in LOSSES),
    SFT(SFTSettings(**QUICK)),
    SFT(SFTSettings(**QUICK, packing=True, max_length=400)),
    TreeTrainer(TreeSettings(**QUICK, loss="awr")),
    ValueTrainer(ValueSettings(**QUICK)),
]


@pytest.mark.parametrize("trainer", TRAINERS, ids=lambda each: f"{each.name}-{getattr(each.config, 'loss', '')}")
def test_what_fills_up_a_step_changes_nothing(
    trainer: ModelTrainer[Any, Any], start: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for filled in (0, 3):
        order = lambda lengths, epochs, arguments, filled=filled: [0, 1, *[len(lengths)] * filled]  # noqa: E731
        monkeypatch.setattr(trainer, "order", order)
        model, tokenizer = _loaded(start)
        rows, _ = trainer.render(toy_set(trainer.reads, 32), tokenizer, 400, {})
        made = trainer.trainer(model, tokenizer, rows, trainer.arguments(tmp_path, 1, 5), 1)
        made.model.train()
        batch = made.data_collator([made.train_dataset[place] for place in range(2 + filled)])
        loss = made.compute_loss(made.model, made._prepare_inputs(batch))
        loss.backward()
        reported = {name: values[-1] for name, values in getattr(made, "_metrics", {}).get("train", {}).items()}
        found.append((float(loss), float(made.model.lm_head.weight.grad.norm()), reported))
    (loss, gradient, reported), (with_blanks, gradient_too, reported_too) = found
    assert (with_blanks, gradient_too) == pytest.approx((loss, gradient), rel=1e-4)
    for name in set(reported) & {"rewards/accuracies", "rewards/margins", "logps/chosen", "mean_token_accuracy"}:
        assert reported_too[name] == pytest.approx(reported[name], rel=1e-4), name


def _loaded(start: Checkpoint) -> Any:
    from agentr_training.model import load

    return load(start.model, torch.float32)


def test_what_cannot_be_spread_is_said_before_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(**settings: Any) -> str | None:
        spread = SFT(SFTSettings(**settings)).spread()
        return None if spread is None else spread.told

    assert told() is None
    assert told(processes=4) == "4 processes, each with the whole model"
    assert told(sharding="fsdp2") == "1 process; sharding=fsdp2 is for several"
    with pytest.raises(UsageError, match=r"^sft\.batch_size=16 cannot be shared out among 3 processes evenly; take"):
        told(processes=3)
    with pytest.raises(MissingDependencyError, match=r"'deepspeed': pip install deepspeed"):
        told(processes=2, sharding="zero3")
    with pytest.raises(UsageError, match=r"sft\.accelerate: '.*none\.yaml' is no configuration of accelerate"):
        told(accelerate=str(tmp_path / "none.yaml"))
    file = tmp_path / "own.yaml"
    file.write_text(
        "compute_environment: LOCAL_MACHINE\ndistributed_type: FSDP\nnum_processes: 8\nnum_machines: 1\n"
        "fsdp_config: {fsdp_version: 2}\n"
    )
    for settings in ({"accelerate": str(file)}, {"processes": 2, "sharding": "fsdp2"}):
        with pytest.raises(
            UsageError, match="shares a model out among GPUs, and there is none here; take sharding ddp"
        ):
            told(**settings)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)
    assert told(accelerate=str(file)) == f"8 processes, by {file}, each with a part of the model (fsdp2)"
    assert told(accelerate=str(file), processes=2) == f"2 processes, by {file}, each with a part of the model (fsdp2)"
    assert told(sharding="fsdp2") == "8 processes, each with a part of the model (fsdp2)"
    file.write_text(file.read_text().replace("num_machines: 1", "num_machines: 2"))
    with pytest.raises(UsageError, match="is of 2 machines, and a run trains on one"):
        told(accelerate=str(file))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert told() == "2 processes, each with the whole model"
    spread = SFT(SFTSettings(batch_size=3)).spread()
    assert (
        spread is not None and spread.warning and spread.told.startswith("1 process (1 GPUs stay idle, as batch_size")
    )
    with pytest.raises(UsageError, match=r"sft\.processes: 4 processes need a GPU each, and this machine has 2"):
        told(processes=4)


def test_memory_is_that_of_a_process_with_its_part(start: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentr_training.memory.free_memory", lambda: ("a GPU", 1 << 40))
    monkeypatch.setattr("agentr_training.spreading.gpu_count", lambda: 2)
    on_gpu = {False: 1, True: 2}
    for gpu, (sharding, held) in itertools.product(on_gpu, (("ddp", 1), ("fsdp2", 2))):
        monkeypatch.setattr("torch.cuda.is_available", lambda gpu=gpu: gpu)
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: False)
        settings = [SFTSettings.model_validate({"processes": count, "sharding": sharding}) for count in (1, 2)]
        needs = [SFT(each).memory(start) for each in settings]
        assert needs[0] is not None and needs[1] is not None
        assert needs[1].least == needs[0].least * (1 if gpu else 2) // held
        assert needs[1].batch.startswith("batches of 8 ×") and needs[0].batch.startswith("batches of 16 ×")
