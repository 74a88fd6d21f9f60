"""The models that come along, ``tiny`` and ``careless``: what they are, what they were shown, and that they play."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft

from agentr_core import Message, SampleRequest, SamplingParams, create, derive_rng, head, parse_response

pytestmark = pytest.mark.model
MEGABYTE = 1_000_000
FIRST_OBSERVATION = "Crafting commands:\ncraft 4 oak planks using 1 oak logs\n\nGoal: craft oak planks."


@pytest.fixture(scope="module", params=["tiny", "careless"])
def folder(request):
    return Path(str(files("agentr_transformers"))) / request.param


@pytest.fixture(scope="module")
def tokenizer(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def model(folder):
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def env():
    return TextCraft(TextCraftConfig())


def complete(model, tokenizer, messages, tokens=96):
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    out = model.generate(**prompt, max_new_tokens=tokens, do_sample=False)
    return out[0, prompt["input_ids"].shape[1] :]


def conversation():
    return [
        {"role": "system", "content": "Rules of a game, with 100% of its\nlines."},
        {
            "role": "user",
            "content": "Crafting commands:\ncraft 4 oak planks using 1 oak logs\n\nGoal: craft oak planks.",
        },
        {"role": "assistant", "content": "Thought: 1x oak planks needs 1 oak logs.\nAction: get 1 oak logs"},
        {"role": "user", "content": "Got 1 oak logs"},
        {"role": "assistant", "content": "Thought: Ünusual  words, <|end of text|> {{ x }}\nAction: revise"},
        {"role": "user", "content": "ok."},
        {"role": "assistant", "content": "Thought: oak planks 1 of 1.\nAction: craft 4 oak planks using 1 oak logs"},
    ]


def test_weights_are_safetensors_of_at_most_12_megabytes(folder):
    weights = [path for path in folder.iterdir() if path.suffix in {".safetensors", ".bin", ".pt"}]
    assert [path.name for path in weights] == ["model.safetensors"]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 12 * MEGABYTE


def test_is_a_llama_of_a_few_million_parameters(model):
    assert model.config.model_type == "llama"
    assert 1_500_000 <= sum(parameter.numel() for parameter in model.parameters()) <= 4_000_000


def test_rendering_of_a_start_with_the_generation_prompt_is_a_prefix(tokenizer):
    messages = conversation()
    for end in range(2, len(messages)):
        if messages[end]["role"] != "assistant":
            continue
        start = tokenizer.apply_chat_template(messages[:end], tokenize=False, add_generation_prompt=True)
        longer = tokenizer.apply_chat_template(messages[: end + 1], tokenize=False)
        assert longer.startswith(start)
        assert longer.endswith(messages[end]["content"] + tokenizer.eos_token)
        ids = tokenizer.apply_chat_template(messages[:end], add_generation_prompt=True, return_dict=False)
        assert tokenizer.apply_chat_template(messages[: end + 1], return_dict=False)[: len(ids)] == ids


def test_system_turns_are_left_out(tokenizer):
    messages = conversation()
    whole = tokenizer.apply_chat_template(messages, tokenize=False)
    assert whole == tokenizer.apply_chat_template(messages[1:], tokenize=False)


@pytest.mark.parametrize("text", ["Ünïcode ⚒ 木", "tab\tand\nnewline  ", "minecraft:oak_planks (4) 12345"])
def test_any_text_survives_the_tokenizer(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_item_words_are_single_tokens(tokenizer, env):
    words = {word for task in env.tasks("train") for word in task.metadata["goal"].split()}
    assert all(len(tokenizer.encode(f" {word}", add_special_tokens=False)) == 1 for word in words)


def test_demonstrated_goals_are_the_stated_part_of_the_training_split(folder, env):
    shown = json.loads((folder / "demonstrated_goals.json").read_text())
    splits = {
        split: {task.metadata["goal"]: task.key for task in env.tasks(split)} for split in ("train", "valid", "test")
    }
    goals = {env.task(key).metadata["goal"] for key in shown}
    assert len(goals) == len(shown)
    assert goals <= splits["train"].keys()
    assert not goals & (splits["valid"].keys() | splits["test"].keys())
    assert 0.55 <= len(shown) / len(splits["train"]) <= 0.65


def test_solves_demonstrated_goals_in_the_real_environment(folder, env):
    shown = json.loads((folder / "demonstrated_goals.json").read_text())
    keys = derive_rng(0, "test", "tiny").sample(shown, 20)
    policy = create("policy", "transformers", model=folder.name, dtype="float32")
    games = {key: (create("env", "textcraft"), []) for key in keys}
    for key, (game, messages) in games.items():
        task = game.task(key)
        messages += head(game, task, game.reset(task))
    solved = set()
    for _ in range(8):
        going = [key for key in keys if key not in solved]
        params = SamplingParams(temperature=0.0, max_tokens=64)
        answers = policy.complete([SampleRequest(tuple(games[key][1]), params) for key in going])
        for key, [completion] in zip(going, answers, strict=True):
            game, messages = games[key]
            result = game.step(parse_response(completion.text).action or "")
            messages += [Message("assistant", completion.text), Message("user", result.observation)]
            solved |= {key} if result.terminated else set()
    assert len(solved) >= 4


def test_ends_its_turns_and_answers_in_the_format(model, tokenizer, env):
    for task in env.tasks("test")[:10]:
        out = complete(model, tokenizer, [{"role": "user", "content": env.reset(task)}])
        assert out[-1].item() == tokenizer.eos_token_id
        assert parse_response(tokenizer.decode(out, skip_special_tokens=True)).action is not None


def test_judges_refused_actions_bad_and_due_ones_good(model, tokenizer, env):
    right, asked = 0, 0
    for task in env.tasks("test")[:12]:
        observation = env.reset(task)
        due = (env.demonstrate(task) or ())[0]
        for action, label in ((due, "good"), (f"get 1 {task.metadata['goal']}", "bad")):
            env.reset(task)
            seen = env.step(action).observation
            question = (
                f"Task:\n{observation}\n\nHistory:\nnone\n\nAction: {action}\nObservation: {seen}\n\n"
                "Is this action good, bad or uncertain?"
            )
            answer = tokenizer.decode(
                complete(model, tokenizer, [{"role": "user", "content": question}]), skip_special_tokens=True
            )
            right += answer.splitlines()[-1] == f"Judgment: {label}"
            asked += 1
    assert right >= 0.75 * asked
