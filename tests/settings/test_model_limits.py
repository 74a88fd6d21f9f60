"""A preset's numbers belong to its own model: others get limits by their size, and say why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentr_core.settings.layer import Layer, flag_layer
from agentr_core.settings.layers import resolve
from agentr_core.settings.model_limits import limits_for, size_of


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("smollm2-135m", 135_000_000),
        ("meta-llama/Llama-3.1-8B-Instruct", 8_000_000_000),
        ("Qwen/Qwen2.5-0.5B", 500_000_000),
        ("google/gemma-3-27b-it", 27_000_000_000),
        ("microsoft/phi-4", None),
    ],
)
def test_the_size_of_a_model_by_its_name(
    name: str, parameters: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTR_CACHE", str(tmp_path))  # a model that was fetched is known by its files
    assert size_of(name).parameters == parameters


def folder(path: Path, size: int, **config: object) -> str:
    (path / "config.json").write_text(json.dumps({"torch_dtype": "float32", **config}))
    with (path / "model.safetensors").open("wb") as file:
        file.truncate(size * 4)
    return str(path)


def test_the_size_of_a_folder_is_that_of_its_weights(tmp_path: Path) -> None:
    found = size_of(folder(tmp_path, 3_000_000, max_position_embeddings=2048))
    assert (found.parameters, found.context) == (3_000_000, 2048)
    assert limits_for(str(tmp_path)) is None, "a checkpoint of tiny is as small as tiny"


def test_quick_keeps_its_numbers_for_models_of_its_size_and_for_policies_without_a_model() -> None:
    for values in ({}, {"model": "tiny"}, {"model": "careless"}, {"policy": "flawed"}):
        layer = Layer("test", values)
        config = resolve([layer]).config
        assert (config.evaluate.max_tokens, config.searcher.options["max_tokens"]) == (48, 48)


@pytest.mark.parametrize(
    "layer", [Layer("t", {"model": "smollm2-135m"}), Layer("t", {"transformers": {"model": "a/b-8B"}})]
)
def test_another_model_gets_limits_by_its_size_and_the_source_says_why(layer: Layer) -> None:
    resolved = resolve([layer])
    config = resolved.config
    limits = (config.searcher.options["max_tokens"], config.critic.options["max_tokens"], config.evaluate.max_tokens)
    assert limits == (512, 512, 512)
    assert config.trainer.options["max_length"] == 4096
    assert config.trainer.options["lora"] == ("8B" in str(layer.values))
    assert "parameters: 512 tokens a turn" in resolved.sources["evaluate.max_tokens"]


def test_what_a_user_sets_wins_over_the_limits_and_a_context_bounds_them(tmp_path: Path) -> None:
    flags = flag_layer({"model": ("--model", "smollm2-135m")}, ["mcts.max_tokens=64"])
    assert resolve([flags]).config.searcher.options["max_tokens"] == 64
    limits = limits_for(folder(tmp_path, 60_000_000, max_position_embeddings=1024))
    assert limits is not None and limits[0]["evaluate"] == {"max_tokens": 256}
    assert limits[0]["sft"]["max_length"] == 1024


def test_the_paper_preset_judges_as_the_paper_and_leaves_turns_after_a_cut() -> None:
    config = resolve([Layer("t", {"preset": "paper", "model": "tiny"})]).config
    assert (config.critic.options["temperature"], config.critic.options["max_tokens"]) == (1.0, 500)
    assert config.env[0].options["max_steps"] >= config.evaluate.max_turns + config.evaluate.revision_turns
