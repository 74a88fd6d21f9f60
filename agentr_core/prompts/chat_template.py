"""Conversations as token ids, through the model's own chat template, so that all engines are asked the same.

Nothing heavy is imported here: tokenizers and configurations are those of transformers, loaded by the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from agentr_core.errors import UsageError
from agentr_core.records import Message

#: A tokenizer that knows no limit says 10^30.
_NO_LIMIT = 10**9


class ChatPrompts:
    """Renders and tokenizes conversations with a tokenizer of transformers; the last few thousand are remembered.

    ``options`` are values for the chat template, ``name`` is what messages call the model. A conversation is rendered
    once to be measured and once to be answered, and again for every sibling, so remembering pays. Raises
    :class:`~agentr_core.errors.UsageError` where the tokenizer has no chat template.
    """

    REMEMBERED = 4096

    def __init__(self, tokenizer: Any, options: Mapping[str, Any], name: str) -> None:
        if getattr(tokenizer, "chat_template", None) is None:
            raise UsageError(
                f"the tokenizer of '{name}' has no chat template; use an instruction-tuned model, "
                "or put a chat_template.jinja beside its tokenizer"
            )
        self._tokenizer, self._options = tokenizer, dict(options)
        self._known: OrderedDict[tuple[Message, ...], tuple[int, ...]] = OrderedDict()
        self._takes_system = True
        self._takes_system = self._renders([Message("system", "a"), Message("user", "b")])

    def ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """The prompt that asks for the assistant's next turn."""
        key = tuple(messages)
        found = self._known.get(key)
        if found is None:
            found = tuple(self.encode(self.render(key)))
            self._known[key] = found
            if len(self._known) > self.REMEMBERED:
                self._known.popitem(last=False)
        return found

    def render(self, messages: Sequence[Message], *, ask: bool = True) -> str:
        """The conversation as text; with ``ask``, up to where the assistant begins to write."""
        turns = [message.as_dict() for message in messages]
        if not self._takes_system:
            turns = _fold_system(turns)
        text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask, **self._options)
        return str(text)

    def encode(self, text: str) -> list[int]:
        """Token ids of rendered text: special tokens are those of the template, none is added."""
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, ids: Sequence[int]) -> str:
        """Plain text of generated tokens."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def pieces(self, vocabulary: int) -> list[str]:
        """The text of every single token."""
        return [str(piece) for piece in self._tokenizer.batch_decode([[token] for token in range(vocabulary)])]

    def end_of_turn(self) -> set[int]:
        """The special token that the template writes after an assistant's turn, where it writes one."""
        mark = "xyzzy"
        turns = [Message("user", "a"), Message("assistant", mark)]
        tail = self.encode(self.render(turns, ask=False).rpartition(mark)[2])
        special = {*self._tokenizer.all_special_ids, *self._tokenizer.added_tokens_decoder}
        return {tail[0]} if tail and tail[0] in special else set()

    def adds_start(self) -> bool:
        """True where encoding plain text puts the token that begins a text in front of it."""
        return [self._tokenizer.bos_token_id] == list(self._tokenizer("")["input_ids"])[:1]

    def _renders(self, messages: Sequence[Message]) -> bool:
        try:
            self.render(messages)
        except Exception:  # a template raises whatever jinja raises
            return False
        return True


def _fold_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """For templates that know no system turn: put it in front of the first user turn."""
    if len(turns) < 2 or turns[0]["role"] != "system":
        return turns
    first = {"role": turns[1]["role"], "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
    return [first, *turns[2:]]


def context_length(config: Any, tokenizer: Any, wanted: int | None) -> int:
    """Tokens of prompt and completion: ``wanted``, at most what the model of ``config`` was made for.

    Raises :class:`~agentr_core.errors.UsageError` where more is wanted.
    """
    limits = [getattr(config.get_text_config(), "max_position_embeddings", None), tokenizer.model_max_length]
    own = min([limit for limit in limits if limit is not None and limit < _NO_LIMIT], default=None)
    if wanted is None:
        return own or 4096
    if own is not None and wanted > own:
        raise UsageError(f"policy.context_length: must be at most {own}, the model's own limit (got {wanted})")
    return wanted


def end_tokens(generation_config: Any, tokenizer: Any) -> set[int]:
    """The tokens that the model's files name as the end; ``generation_config`` may be None."""
    named = [getattr(generation_config, "eos_token_id", None), tokenizer.eos_token_id]
    return {token for item in named if item is not None for token in (item if isinstance(item, list) else [item])}
