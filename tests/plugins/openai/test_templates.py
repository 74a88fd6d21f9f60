"""Prompts as text: what the server's tokenizer puts in front itself is left out, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from openai_asking import TURNS

pytest.importorskip("transformers")
from agentr_openai.config import OpenAIConfig
from agentr_openai.policy import OpenAIPolicy
from agentr_openai.templates import Template

from agentr_core import UsageError
from agentr_core.testing import random_llama

START = "<|im_start|>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_llama(tmp_path_factory.mktemp("llama"))


def saved(folder: Path, out: Path, *, adds_start: bool) -> Template:
    """The tokenizer of ``folder`` with a start token, which it puts in front of plain text or does not."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.bos_token = START
    if adds_start:
        tokens = [(START, tokenizer.convert_tokens_to_ids(START))]
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{START} $A", special_tokens=tokens)
    tokenizer.save_pretrained(out)
    return Template(str(out), {})


@pytest.mark.parametrize("adds_start", [True, False])
def test_the_start_token_comes_once(folder: Path, tmp_path: Path, adds_start: bool) -> None:
    from transformers import AutoTokenizer

    template = saved(folder, tmp_path, adds_start=adds_start)
    server = AutoTokenizer.from_pretrained(tmp_path)
    ids = server(template.render(TURNS))["input_ids"]
    assert ids.count(server.bos_token_id) == len(TURNS) + 1
    assert template.count(TURNS) == len(ids)


def test_options_of_the_template_are_those_that_servers_are_given(folder: Path) -> None:
    options = {"enable_thinking": False}
    plain, told = (
        OpenAIPolicy(OpenAIConfig(model="m", tokenizer=str(folder), extra_body=body))
        for body in ({}, {"chat_template_kwargs": options})
    )
    assert plain.template_options is None
    assert told.template_options == options
    with pytest.raises(UsageError, match="must be 'strip', 'keep' or 'off'"):
        body = {"chat_template_kwargs": {"reasoning": "maybe"}}
        OpenAIPolicy(OpenAIConfig(model="m", tokenizer=str(folder), extra_body=body))


def test_an_adapter_without_a_tokenizer_takes_that_of_its_base(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "tiny"}')
    assert Template(str(tmp_path), {}).render(TURNS) == Template("tiny", {}).render(TURNS)
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "./gone"}')
    with pytest.raises(UsageError, match=r"needs its base model: there is no model folder './gone'"):
        Template(str(tmp_path), {})
