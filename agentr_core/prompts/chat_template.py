"""A model's chat template: conversations as text, and as the token ids that an engine is asked with.

One class renders for prompts and for loss masks alike, so that what is trained is what is asked. Nothing heavy is
imported here: tokenizers and configurations are those of transformers, loaded by the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentr_core.errors import UsageError
from agentr_core.records import Message

#: A tokenizer that knows no limit says 10^30.
_NO_LIMIT = 10**9
#: Stands for the content of a turn, to see what a template writes after it.
_MARK = "xyzzy"


class ChatTemplate:
    """A tokenizer's chat template with its ``options``; ``name`` is what messages call the model.

    The tokenizer is anything with ``apply_chat_template``, ``decode`` and a call that gives ``input_ids`` (a tokenizer
    of transformers). Raises :class:`~agentr_core.errors.UsageError` where it has no chat template.
    """

    def __init__(self, tokenizer: Any, options: Mapping[str, Any], name: str = "the model") -> None:
        if getattr(tokenizer, "chat_template", None) is None:
            raise UsageError(
                f"the tokenizer of '{name}' has no chat template; use an instruction-tuned model, "
                "or put a chat_template.jinja beside its tokenizer"
            )
        self.tokenizer, self._options = tokenizer, dict(options)
        self._takes_system = True
        self._takes_system = self._renders([Message("system", "a"), Message("user", "b")])

    def folded(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The conversation as the template takes it: where it refuses system turns, folded into the first user turn."""
        if self._takes_system or len(messages) < 2 or messages[0].role != "system":
            return tuple(messages)
        first = messages[1]
        return (Message(first.role, f"{messages[0].content}\n\n{first.content}", first.train), *messages[2:])

    def text(self, messages: Sequence[Message], *, ask: bool = False) -> str:
        """The conversation as text; with ``ask``, up to where the assistant begins to write."""
        turns = [message.as_dict() for message in self.folded(messages)]
        text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask, **self._options)
        return str(text)

    def encode(self, text: str) -> list[int]:
        """Token ids of rendered text: special tokens are those of the template, none is added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def spans(self, text: str) -> Iterator[tuple[int, tuple[int, int]]]:
        """Token ids of rendered text with the characters that each one stands for (a fast tokenizer's offsets)."""
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return zip(encoded["input_ids"], map(tuple, encoded["offset_mapping"]), strict=True)

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """Text of tokens, the special ones with ``special`` only."""
        return str(
            self.tokenizer.decode(list(ids), skip_special_tokens=not special, clean_up_tokenization_spaces=False)
        )

    def after_turn(self) -> str:
        """What the template writes after an assistant's turn; may be empty."""
        return self.text([Message("user", "a"), Message("assistant", _MARK)]).rpartition(_MARK)[2]

    def _renders(self, messages: Sequence[Message]) -> bool:
        try:
            self.text(messages, ask=True)
        except Exception:  # a template raises whatever jinja raises
            return False
        return True


class ChatPrompts:
    """Conversations as token ids through a :class:`ChatTemplate`; the last few thousand are remembered.

    A conversation is rendered once to be measured and once to be answered, and again for every sibling, so remembering
    pays. Raises :class:`~agentr_core.errors.UsageError` where the tokenizer has no chat template.
    """

    REMEMBERED = 4096

    def __init__(self, tokenizer: Any, options: Mapping[str, Any], name: str) -> None:
        self.template = ChatTemplate(tokenizer, options, name)
        self._known: OrderedDict[tuple[Message, ...], tuple[int, ...]] = OrderedDict()

    def ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """The prompt that asks for the assistant's next turn."""
        key = tuple(messages)
        found = self._known.get(key)
        if found is None:
            found = tuple(self.template.encode(self.render(key)))
            self._known[key] = found
            if len(self._known) > self.REMEMBERED:
                self._known.popitem(last=False)
        return found

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation as text, up to where the assistant begins to write."""
        return self.template.text(messages, ask=True)

    def encode(self, text: str) -> list[int]:
        """Token ids of rendered text: special tokens are those of the template, none is added."""
        return self.template.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """Plain text of generated tokens."""
        return self.template.decode(ids)

    def pieces(self, vocabulary: int) -> list[str]:
        """The text of every single token."""
        return [str(piece) for piece in self.template.tokenizer.batch_decode([[token] for token in range(vocabulary)])]

    def end_of_turn(self) -> set[int]:
        """The special token that the template writes after an assistant's turn, where it writes one."""
        tail, tokenizer = self.encode(self.template.after_turn()), self.template.tokenizer
        special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
        return {tail[0]} if tail and tail[0] in special else set()

    def adds_start(self) -> bool:
        """True where encoding plain text puts the token that begins a text in front of it."""
        tokenizer = self.template.tokenizer
        return [tokenizer.bos_token_id] == list(tokenizer("")["input_ids"])[:1]


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
