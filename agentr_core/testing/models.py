"""A real model that needs no download: for trainers and policies to be tried on. Torch is imported when it is made."""

from __future__ import annotations

import os
from pathlib import Path

_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def random_llama(folder: Path, *, seed: int = 0) -> Path:
    """Save a Llama of two small layers with random weights to ``folder``, with a byte tokenizer and a chat template."""
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    vocabulary = _save_tokenizer(folder)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, initializer_range=0.1, tie_word_embeddings=False,
        eos_token_id=2, bos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        LlamaForCausalLM(config).float().save_pretrained(folder)
    return folder


def _save_tokenizer(folder: Path) -> int:
    """One token for each byte and special token; returns how many there are."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*_SPECIAL, *alphabet])}
    bytes_ = Tokenizer(models.BPE(vocabulary, []))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    bytes_.add_special_tokens([AddedToken(token, special=True) for token in _SPECIAL])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_, eos_token=_SPECIAL[2], pad_token=_SPECIAL[0])
    tokenizer.chat_template = _TEMPLATE
    tokenizer.save_pretrained(folder)
    return len(vocabulary)
