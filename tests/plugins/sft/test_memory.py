"""What a training takes of the memory, by the files of a real model, against memory that is made up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from agentr_core import Checkpoint, UsageError
from agentr_core.runs.preflight import _fits

pytest.importorskip("torch")
pytest.importorskip("trl")

from agentr_sft.config import SFTSettings
from agentr_sft.trainer import SFT
from agentr_training import memory
from agentr_training.memory import free_memory, memory_need, shape_of

pytestmark = pytest.mark.model


@pytest.fixture
def need(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The need of a training where so many bytes are free."""

    def of(free: int, **settings: Any) -> Any:
        monkeypatch.setattr(memory, "free_memory", lambda: ("the device", free))
        trainer = SFT(SFTSettings(precision="fp32", **settings))
        found = trainer.memory(Checkpoint(model=str(model_folder), base_model=""))
        assert found is not None
        return found

    return of


def loaded(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder)


def test_parameters_are_counted_out_of_the_files(model_folder: Path) -> None:
    shape = shape_of(model_folder)
    assert shape is not None
    assert shape.parameters == sum(parameter.numel() for parameter in loaded(model_folder).parameters())
    assert (shape.layers, shape.hidden, shape.inner, shape.context) == (2, 32, 64, 1024)


@pytest.mark.parametrize(("weights", "size"), [("fp32", 16), ("bf16", 8)])
def test_each_number_is_kept_four_times(need: Any, model_folder: Path, weights: str, size: int) -> None:
    count = sum(parameter.numel() for parameter in loaded(model_folder).parameters())
    assert need(10**12, weights=weights).least == size * count


def test_adapters_are_counted_as_peft_makes_them(need: Any, model_folder: Path) -> None:
    peft = pytest.importorskip("peft")
    model, settings = loaded(model_folder), SFTSettings(lora=True, lora_rank=3)
    whole = sum(parameter.numel() for parameter in model.parameters())
    adapted = peft.get_peft_model(model, SFT(settings).adapters())
    trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
    assert need(10**12, lora=True, lora_rank=3).least == 4 * whole + 16 * trained


def test_what_cannot_fit_is_refused_with_what_to_set(need: Any) -> None:
    with pytest.raises(UsageError, match=r"training takes .* MB for weights, gradients and .*, and only"):
        _fits(need(1000))
    assert need(1000).advice == "set sft.lora=true or sft.weights=bf16, or take a smaller model"
    assert need(1000, lora=True, weights="bf16").advice == "take a smaller model"


def test_what_is_near_is_a_warning_and_what_fits_is_none(need: Any) -> None:
    most = need(10**12).most
    assert need(10**12).least < most
    near = _fits(need(most, gradient_checkpointing=True, lora=True))
    assert not near.warning, "with less to keep it fits"
    near = _fits(need(most))
    assert near.warning and "of the device are free; set sft.lora=true or sft.gradient_checkpointing=true" in near.told
    assert not _fits(need(2 * most)).warning


@pytest.mark.parametrize("change", [{"batch_size": 32}, {"max_length": 512, "batch_size": 64}])
def test_longer_and_larger_batches_take_more(need: Any, change: dict[str, Any]) -> None:
    grown, before = need(10**12, **change), need(10**12)
    assert grown.least == before.least and grown.most - grown.least == 2 * (before.most - before.least)


def test_shards_are_counted_once_and_beside_other_formats(model_folder: Path, tmp_path: Path) -> None:
    model = loaded(model_folder)
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    shutil.copy(model_folder / "model.safetensors", tmp_path / "consolidated.safetensors")
    assert shape_of(tmp_path) == shape_of(model_folder)


def test_an_adapter_takes_its_base_and_an_unknown_model_nothing(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(model_folder)}))
    trainer = SFT(SFTSettings())
    adapter, base = (trainer.memory(Checkpoint(model=str(path), base_model="")) for path in (tmp_path, model_folder))
    assert adapter is not None and base is not None and adapter.least == base.least
    assert trainer.memory(Checkpoint(model="org/not-here-yet", base_model="")) is None
    (tmp_path / "config.json").write_text("{")
    assert memory_need(SFTSettings(), tmp_path, name="sft", bf16=False) is None


def test_free_memory_is_that_of_this_machine() -> None:
    device, free = free_memory()
    assert device and free > 2**20


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    for name, value in {"max": "1000", "current": "700", "stat": "anon 1\ninactive_file 200"}.items():
        (tmp_path / f"memory.{name}").write_text(value)
    assert list(memory._free_in_container(tmp_path)) == [500]
    (tmp_path / "memory.max").write_text("max")
    assert list(memory._free_in_container(tmp_path)) == []
