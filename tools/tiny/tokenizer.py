"""The tokenizer of ``tiny``: byte-level BPE in which item words and small numbers are single tokens."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from tools.tiny.data import Mix
from tools.tiny.demonstrators import REFLECTIONS
from tools.tiny.worlds import GENERICS

VOCABULARY = 1664
PAD, USER, ASSISTANT, END = "<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"

#: A word takes the space or the newline before it and the colon after it, so that "\nAction:" is one token.
SPLIT = r"[ \n]?\p{L}+:?| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"

#: System turns are left out: the model knows its game, and every token costs time. Each turn is rendered alone, so the
#: rendering of a conversation's start is the start of its rendering.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}<|assistant|>{{ message['content'] }}<|end|>"
    "{%- elif message['role'] != 'system' -%}<|user|>{{ message['content'] }}<|end|>"
    "{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)


def train_tokenizer(mix: Mix, seed: int) -> Any:
    """Learn the vocabulary from drawn conversations and the item words; returns a ``PreTrainedTokenizerFast``."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, USER, ASSISTANT, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(mix, seed), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )


def _corpus(mix: Mix, seed: int) -> Iterator[str]:
    rng = random.Random(seed)
    yield from _words(sorted((*mix.words.all, *GENERICS)))
    for _ in range(1500):
        for turn in mix.draw(rng):
            yield turn.text


def _words(words: Sequence[str]) -> Iterator[str]:
    numbers = " ".join(str(number) for number in range(129))
    names = " ".join(words) + " " + "_".join(words)
    for _ in range(300):
        yield f" {names} {numbers} {numbers} {numbers}"
    for _ in range(30):
        yield " ".join(REFLECTIONS)
