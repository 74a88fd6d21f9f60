"""A tiny random Llama with a tokenizer of its own, saved to a folder as a user's model would be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agentr_core import Completion, Message, SampleRequest, SamplingParams
from agentr_core.interfaces.policy import AnyPolicy

os.environ.setdefault("GOMP_SPINCOUNT", "0")

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXTS = [
    "Thought: I need oak planks before I can craft a stick.\nAction: get 2 oak log",
    "Observation: Got 2 oak log\nCrafted 4 minecraft:oak_planks",
    "Crafting commands:\ncraft 4 oak planks using 1 oak logs\n\nGoal: craft stick.",
]


def save_tokenizer(folder: Path, template: str | None) -> int:
    """Train a small byte-level BPE, save it as transformers does, and return the size of its vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def save_model(folder: Path, vocabulary: int, kind: str, **settings: object) -> Path:
    """A random model of two layers; its logits are spread so that it stops now and then."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(1)
    values = {
        "vocab_size": vocabulary, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.2,
        "tie_word_embeddings": False, "eos_token_id": 2, "bos_token_id": 0, "pad_token_id": 0,
    }  # fmt: skip
    config = AutoConfig.for_model(kind, **(values | settings))
    model = AutoModelForCausalLM.from_config(config).float()
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a folder with a random model: ``make_model("mistral", sliding_window=24)``."""

    def make(kind: str = "llama", template: str | None = CHATML, **settings: object) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        return save_model(folder, save_tokenizer(folder, template), kind, **settings)

    return make


@pytest.fixture(scope="session")
def random_llama(make_model: Callable[..., Path]) -> Path:
    """The folder of a random Llama."""
    return make_model()


@pytest.fixture(scope="session")
def tiny() -> Path:
    """The model ``tiny`` of the package, or the one that AGENTR_TEST_TINY names."""
    from agentr_transformers.models import TINY

    folder = Path(os.environ.get("AGENTR_TEST_TINY", TINY))
    if not (folder / "config.json").is_file():
        pytest.skip("the model 'tiny' is not in this tree (AGENTR_TEST_TINY may name it)")
    return folder


@pytest.fixture
def ask() -> Callable[..., list[list[Completion]]]:
    """Ask a policy several things: all at once, or one after another with ``alone=True``."""

    def ask(
        policy: AnyPolicy,
        conversations: Sequence[Sequence[Message]],
        params: SamplingParams,
        *,
        n: int = 3,
        seed: int = 0,
        alone: bool = False,
    ) -> list[list[Completion]]:
        async def one(number: int, messages: Sequence[Message]) -> list[Completion]:
            return await policy.sample(SampleRequest(tuple(messages), params, n, seed + number, "s"))

        async def run() -> list[list[Completion]]:
            if alone:
                return [await one(number, messages) for number, messages in enumerate(conversations)]
            return await asyncio.gather(*(one(number, messages) for number, messages in enumerate(conversations)))

        return asyncio.run(run())

    return ask
