"""A model's chat template: conversations as text, and as the token ids that an engine is asked with.

One class renders for prompts and for loss masks alike, so that what is trained is what is asked. Nothing heavy is
imported here: tokenizers and configurations are those of transformers, loaded by the caller.
"""

from __future__ import annotations

import re
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from threading import Lock
from typing import Any, TypeVar

from agentr_core.errors import UsageError
from agentr_core.interfaces.reasoning_marks import BRACKETS, CHANNELS, CLOSE, FINAL, OPEN, TAGS, Marks, tagged
from agentr_core.prompts.reasoning import SWITCHES, dated, hidden, reasoning_of, shown, without_reasoning
from agentr_core.turns import Message

_Item = TypeVar("_Item")

#: A tokenizer that knows no limit says 10^30.
_NO_LIMIT = 10**9
#: Stand for what turns say, to see what a template writes around it.
_MARK, _ASKED = "xyzzy", "plugh"
#: Before an answer that has reasoning of its own: what the template writes in its place goes.
_OWN = "\ue001"


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a template puts between a user's turn and the answer, without what prompt and history share.

    ``opened``: what the prompt ends with (``<think>``); ``written``: what stands there once the answer is history.
    """

    opened: str
    written: str

    @property
    def header(self) -> str:
        """A header that says no more than that the answer comes (gpt-oss's channel): the model is asked after it."""
        own = self.written.strip() and not self.opened and "think" not in self.written.lower()
        return self.written if own else ""


class ChatTemplate:
    """A tokenizer's chat template with its ``options``; ``name`` is what messages call the model.

    Options are values for the template, and ``reasoning`` and ``date`` (:mod:`agentr_core.prompts.reasoning`). The
    tokenizer is anything with ``apply_chat_template``, ``decode`` and a call that gives ``input_ids`` (a tokenizer of
    transformers). Raises :class:`~agentr_core.errors.UsageError` where it has no chat template, or an option is wrong.
    """

    def __init__(self, tokenizer: Any, options: Mapping[str, Any], name: str = "the model") -> None:
        source = getattr(tokenizer, "chat_template", None)
        if source is None:
            raise UsageError(
                f"the tokenizer of '{name}' has no chat template; use an instruction-tuned model, "
                "or put a chat_template.jinja beside its tokenizer"
            )
        self.tokenizer = tokenizer
        self.reasoning, today, self._options = reasoning_of(options)
        pinned = dated(source, today)
        self.is_dated = pinned is not None
        self._source = {} if pinned is None else {"chat_template": pinned}
        self.takes_system = self._renders([Message("system", "a"), Message("user", "b")])
        self._check_plain(name)
        if self.reasoning == "off":
            self._check_switch(options, name)

    def folded(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The conversation as the template takes it: where it refuses system turns, folded into the first user turn."""
        if self.takes_system or len(messages) < 2 or messages[0].role != "system":
            return tuple(messages)
        first = messages[1]
        return (Message(first.role, f"{messages[0].content}\n\n{first.content}", first.train), *messages[2:])

    def text(self, messages: Sequence[Message], *, ask: bool = False) -> str:
        """The conversation as text; with ``ask``, up to where the assistant begins to write.

        Reasoning of the assistant's turns is left out, or kept, as the option says.
        """
        text = self._raw([self._history(message) for message in self.folded(messages)], ask=ask)
        if self.reasoning == "keep":
            text = shown(text.replace(self._frame.written + _OWN, "").replace(_OWN, ""), self.marks)
        return text + self.header if ask else text

    def answer(self, content: str) -> str:
        """What the model writes after the prompt for a turn that says ``content``: what is trained.

        It is ``content`` as it is, but for a turn without reasoning where the template wants some (an empty block), and
        for one with reasoning where the model is asked for none. Reasoning stands between the model's own marks.
        """
        return self.marks.written(self._tagged_answer(self.marks.tagged(content)))

    def _tagged_answer(self, content: str) -> str:
        frame, blank = self._frame, not self._frame.written.strip()
        if self.asks_for_none:
            content = without_reasoning(content)
        if self.opens_reasoning:
            said = content.removeprefix(OPEN).lstrip("\n") if content.startswith(OPEN) else content
            return said if CLOSE in said else f"\n{CLOSE}\n\n{said}"
        if self.header or CLOSE in content or content.startswith(OPEN) or (blank and content[:1].isspace()):
            return content
        return frame.written + content

    @cached_property
    def asks_for_none(self) -> bool:
        """True where reasoning is turned off: the prompt may then end with a block of it that is closed already."""
        return self.reasoning == "off" or (CLOSE in self._asked.rpartition(_ASKED)[2] and not self.opens_reasoning)

    @cached_property
    def opens_reasoning(self) -> bool:
        """True where the prompt ends inside a block of reasoning."""
        tail = self._asked.rpartition(_ASKED)[2]
        return tail.rfind(OPEN) > tail.rfind(CLOSE)

    @property
    def header(self) -> str:
        """What a prompt ends with so that the model begins with its answer, and not with a header of the template's."""
        return "" if self.marks is CHANNELS else self._frame.header

    @cached_property
    def marks(self) -> Marks:
        """How the model marks its reasoning; agentr writes all of it between ``<think>`` tags.

        A model that answers in channels (gpt-oss) reasons in one, unless reasoning is turned off: the prompt then ends
        with the header of the answer.
        """
        if FINAL in self._frame.written and self.reasoning != "off":
            return CHANNELS
        source = self.tokenizer.chat_template
        return BRACKETS if isinstance(source, str) and BRACKETS.opened in source else TAGS

    @property
    def knows_reasoning(self) -> bool:
        """True where the template says anything about reasoning."""
        source = self.tokenizer.chat_template
        written = source if isinstance(source, str) else ""
        return "think" in written or OPEN in self._asked or self.marks is not TAGS

    def encode(self, text: str) -> list[int]:
        """Token ids of rendered text: special tokens are those of the template, none is added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def spans(self, text: str) -> Iterator[tuple[int, tuple[int, int]]]:
        """Token ids of rendered text with the characters that each one stands for (a fast tokenizer's offsets)."""
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return zip(encoded["input_ids"], map(tuple, encoded["offset_mapping"]), strict=True)

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """Text of tokens, the special ones with ``special`` only.

        Without it, reasoning stands between ``<think>`` tags, whatever the model's own marks are (special tokens).
        """
        plain = self.marks is TAGS or special
        text = str(
            self.tokenizer.decode(
                list(ids), skip_special_tokens=plain and not special, clean_up_tokenization_spaces=False
            )
        )
        return text if plain else self._special_texts.sub("", tagged(text))

    @cached_property
    def _special_texts(self) -> re.Pattern[str]:
        """Matches special tokens in decoded text."""
        texts = self.tokenizer.convert_ids_to_tokens(sorted(self.special()))
        return re.compile("|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)))

    def after_turn(self) -> str:
        """What the template writes after an assistant's turn that a user's turn follows; may be empty.

        Some end a whole conversation with another token than a turn in it (gpt-oss), with one token more (Phi), or end
        a turn with the token that begins the next one (GLM).
        """
        end = self._raw([Message("user", _ASKED), Message("assistant", _MARK)]).rpartition(_MARK)[2]
        within = self._between.rpartition(_MARK)[2]
        if end.strip() and (within.startswith(end) or self.marks is CHANNELS):
            return end  # what ends a turn in channels ends the analysis too: the model goes on behind it
        ids, last = self.encode(within.strip()), self.encode(end.strip())
        return self.decode(_shared(ids, last) or [token for token in ids[:1] if token in self.special()], special=True)

    def special(self) -> set[int]:
        """The special tokens, those that were added to the vocabulary included."""
        return {*self.tokenizer.all_special_ids, *self.tokenizer.added_tokens_decoder}

    @cached_property
    def _between(self) -> str:
        return self._raw([Message("user", _ASKED), Message("assistant", _MARK), Message("user", "a")])

    @cached_property
    def _asked(self) -> str:
        return self._raw([Message("user", _ASKED)], ask=True)

    @cached_property
    def _frame(self) -> _Frame:
        answered, asked = self._between.partition(_MARK)[0], self._asked
        shared = len(_shared(answered, asked))
        if shared < asked.rfind(_ASKED) + len(_ASKED):  # the conversation's beginning is written anew with each turn
            return _Frame("", "")
        return _Frame(asked[shared:], answered[shared:])

    def _history(self, message: Message) -> Message:
        """A turn of a conversation that goes on, as the template is given it."""
        if message.role != "assistant":
            return message
        if self.reasoning != "keep":
            said = without_reasoning(message.content)
            return message if said is message.content else replace(message, content=said)
        frame, said = self._frame, self.marks.tagged(message.content)
        channels = self.marks is CHANNELS
        if frame.opened or CLOSE in said or (channels and said.startswith(OPEN)):
            said = (_OWN if channels or "think" in frame.written else "") + frame.opened + self._tagged_answer(said)
        return replace(message, content=hidden(said))

    def _raw(self, messages: Sequence[Message], *, ask: bool = False) -> str:
        turns = [message.as_dict() for message in messages]
        return str(
            self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=ask, **self._source, **self._options
            )
        )

    def _renders(self, messages: Sequence[Message]) -> bool:
        try:
            self._raw(messages, ask=True)
        except Exception:  # a template raises whatever jinja raises
            return False
        return True

    def _check_plain(self, name: str) -> None:
        """Refuse a template that cannot write a plain conversation, or writes it without what is said."""
        try:
            written, reason = self._asked, "it leaves out what turns say"
        except Exception as error:  # a template raises whatever jinja raises
            written, reason = "", str(error)
        if _ASKED not in written:
            raise UsageError(
                f"the chat template of '{name}' does not write turns of plain text ({reason}); "
                "use a text model, or put another chat_template.jinja beside its tokenizer"
            )

    def _check_switch(self, options: Mapping[str, Any], name: str) -> None:
        """Refuse to turn off what has no switch."""
        plain = ChatTemplate(self.tokenizer, {**options, "reasoning": "strip"}, name)
        if self._asked == plain._asked and not (plain.asks_for_none or self._frame.header):
            raise UsageError(
                f"template_options.reasoning: the chat template of '{name}' has no switch ({', '.join(SWITCHES)}) "
                "that turns reasoning off; leave 'off' out, or use a template that has one"
            )


class ChatPrompts:
    """Conversations as token ids through a :class:`ChatTemplate`; those asked last are remembered, by their tokens.

    A conversation is rendered once to be measured and once to be answered, and again for every sibling, so remembering
    pays. Raises :class:`~agentr_core.errors.UsageError` where the tokenizer has no chat template.
    """

    #: How many tokens are remembered, four bytes each; a conversation by itself counts for so many more.
    REMEMBERED, EACH = 8_000_000, 128

    def __init__(self, tokenizer: Any, options: Mapping[str, Any], name: str) -> None:
        self.template = ChatTemplate(tokenizer, options, name)
        self._known: OrderedDict[tuple[Message, ...], array[int]] = OrderedDict()
        self._size, self._adding = 0, Lock()

    def ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """The prompt that asks for the assistant's next turn."""
        return tuple(self._remembered(messages))

    def count(self, messages: Sequence[Message]) -> int:
        """How many tokens :meth:`ids` has."""
        return len(self._remembered(messages))

    def _remembered(self, messages: Sequence[Message]) -> array[int]:
        key = tuple(messages)
        found = self._known.get(key)
        if found is None:
            found = array("i", self.template.encode(self.render(key)))
            self._remember(key, found)
        return found

    def _remember(self, key: tuple[Message, ...], ids: array[int]) -> None:
        with self._adding:  # prompts are measured in the event loop and answered in the model's thread
            if key not in self._known:
                self._size += len(ids) + self.EACH
            self._known[key] = ids
            while self._size > self.REMEMBERED:
                _, oldest = self._known.popitem(last=False)
                self._size -= len(oldest) + self.EACH

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
        tail = self.encode(self.template.after_turn().strip())
        return {tail[0]} if tail and tail[0] in self.template.special() else set()

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


def _shared(one: Sequence[_Item], other: Sequence[_Item]) -> list[_Item]:
    """How both begin."""
    return [item for item, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))]
