"""A byte-level tokenizer trained on the spot, chat templates, a two-layer model, and conversations to train on."""

from __future__ import annotations

import os
import re

os.environ.setdefault("GOMP_SPINCOUNT", "0")  # before torch is imported

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from agentr_core import Example, Message

TEMPLATES = Path(__file__).parents[1] / "train" / "templates"
SPECIAL = [
    "<|pad|>", "<|user|>", "<|assistant|>", "<|end|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
]  # fmt: skip
#: Special tokens, as the templates write them.
MARKERS = r"<[|｜][^<>|｜]+[|｜]>|\[/?[A-Za-z_]+\]|<(?:start|end)_of_turn>"
SENTENCES = [
    "Thought: I need two planks to craft a stick.\nAction: get 2 oak planks",
    "Goal: craft stick. Crafting commands:\ncraft 4 stick using 2 oak planks",
    "Thought: That was wrong, I will try another way.\nAction: revise",
    "Got 2 oak planks. Crafted 4 minecraft:stick. Could not find a recipe. ok.",
]


@cache
def _tokenizer(template: str) -> Any:
    transformers = pytest.importorskip("transformers")
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # The hardest case: offsets that leave out the spaces a token begins with (Llama 3 does so).
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=alphabet, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 4, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|pad|>", bos_token="<|begin_of_text|>", eos_token="<|end|>"
    )
    fast.chat_template = (TEMPLATES / f"{template}.jinja").read_text()
    own = re.findall(MARKERS, fast.chat_template) + ["<|system|>"] * ("'<|' ~ turn.role" in fast.chat_template)
    fast.add_tokens([AddedToken(text, special=True) for text in dict.fromkeys(own) if text not in SPECIAL])
    fast.add_tokens(["<think>", "</think>"] if "<think>" in fast.chat_template else [])
    return fast


@pytest.fixture(scope="session")
def tokenizer_with() -> Callable[[str], Any]:
    """Makes a fast tokenizer with one of the templates beside this file."""
    return _tokenizer


@pytest.fixture(scope="session")
def revision() -> Callable[[int], Example]:
    """Makes a revision trajectory: a bad start that is not trained, the signal, and a good tail."""
    return _revision


def _revision(number: int = 0) -> Example:
    said = Message
    return Example(
        (
            said("system", "You craft things. Answer with a thought and an action."),
            said("user", f"Goal: craft {number} sticks.\n\nCrafting commands:\ncraft 4 stick using 2 oak planks"),
            said("assistant", f"Thought: Stone will do.\nAction: get {number} stone"),
            said("user", f"Got {number} stone"),
            said("assistant", "Thought: Now the sticks.\nAction: craft 4 stick using 2 stone"),
            said("user", "Could not find a recipe for 4 stick using 2 stone"),
            said("assistant", "Thought: That was wrong, I will try another way.\nAction: revise", train=True),
            said("user", "ok."),
            said("assistant", f"Thought:  I need  planks – naïve, 木 🪵.\n\nAction: get {number} planks", train=True),
            said("user", f"Got {number} oak planks"),
            said("assistant", "Thought: Now I can craft.\nAction: craft 4 stick using 2 oak planks", train=True),
            said("user", "Crafted 4 minecraft:stick"),
        ),
        "revision",
    )


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers with its tokenizer and template, on disk."""
    torch = pytest.importorskip("torch")
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer("tiny")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("model")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
