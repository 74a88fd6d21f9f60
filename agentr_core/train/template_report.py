"""What a chat template does to training, found out before anything is paid for: a short conversation, proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agentr_core.errors import AgentrError
from agentr_core.interfaces.reasoning_marks import CLOSE, OPEN
from agentr_core.prompts.chat_template import ChatPrompts, ChatTemplate
from agentr_core.prompts.reasoning import reasoning_of
from agentr_core.train.token_masks import RenderedExample, check_rendered, render_example, turn_ending
from agentr_core.turns import Example, Message

System = Literal["kept", "folded", "moved", "left out"]
Kept = Literal["kept", "left out", "off", "none"]

_MARK, _FIRST = "xyzzy", "plugh"
_ROOMY = 10**9
_SYSTEM: Mapping[System, str] = {
    "kept": "system turn kept",
    "folded": "system text folded into the first user turn",
    "moved": "system text moved into the last user turn",
    "left out": "system text left out by the template",
}
_REASONING: Mapping[Kept, str] = {
    "kept": "reasoning of earlier turns kept",
    "left out": "reasoning of earlier turns left out",
    "off": "reasoning turned off",
    "none": "",
}


@dataclass(frozen=True, slots=True)
class TemplateReport:
    """What becomes of a conversation in a chat template.

    ``system``: where the system text goes; ``reasoning``: what the prompt has of earlier turns' reasoning (``none``:
    the template knows no reasoning). ``rewritten``: the template writes history anew, so that each trained turn becomes
    a row of its own. ``header``: what the prompt ends with so that the model begins with its answer; ``day``: the date
    that the template is told. ``instruction_tokens`` counts the instructions alone. ``problem`` says why it cannot be
    trained with; the rest then means nothing.
    """

    system: System = "kept"
    reasoning: Kept = "none"
    rewritten: bool = False
    end_of_turn: str = ""
    header: str = ""
    day: str = ""
    instruction_tokens: int = 0
    problem: str | None = None

    def describe(self) -> str:
        """One line: what will happen, or the problem."""
        if self.problem is not None:
            return self.problem
        rows = "each turn trained as it was asked, in a row of its own" if self.rewritten else "trained in one row"
        parts = [_SYSTEM[self.system], _REASONING[self.reasoning], rows, f"turns end with {self.end_of_turn}"]
        parts += [f"answers begin after {self.header}" if self.header else "", self.day and f"it is always {self.day}"]
        return "; ".join(part for part in [*parts, f"{self.instruction_tokens} tokens of instructions"] if part)


def template_report(tokenizer: Any, options: Mapping[str, Any], instructions: str) -> TemplateReport:
    """Render, mask and prove a conversation of two trained turns after ``instructions``; raises nothing.

    ``options`` are those that the policy asks with.
    """
    try:
        prompts = ChatPrompts(tokenizer, options, "the model")
        example = _probe(prompts.template, instructions)
        rows = render_example(example, tokenizer, max_length=_ROOMY, options=options)
        for row in rows:
            check_rendered(example, row, tokenizer, options=options)
        _check_prompts(example, rows, prompts)
        return _report(prompts.template, options, instructions, len(rows))
    except AgentrError as error:
        return TemplateReport(problem=str(error))
    except Exception as error:  # a template raises whatever jinja raises
        return TemplateReport(problem=f"the chat template cannot render a conversation of two turns ({error})")


def _report(template: ChatTemplate, options: Mapping[str, Any], instructions: str, rows: int) -> TemplateReport:
    return TemplateReport(
        system=_system(template),
        reasoning=_reasoning(template),
        rewritten=rows > 1,
        end_of_turn=turn_ending(template),
        header=template.header,
        day=reasoning_of(options)[1].isoformat() if template.is_dated else "",
        instruction_tokens=len(template.encode(instructions)),
    )


def _probe(template: ChatTemplate, instructions: str) -> Example:
    """Two trained turns, with reasoning where the model is asked for some."""
    reasons = template.knows_reasoning and not template.asks_for_none
    block = ("" if template.opens_reasoning else f"{OPEN}\n") + f"I look.\n{CLOSE}\n\n" if reasons else ""
    turns = [Message("system", instructions), Message("user", "You are at the start.")]
    for number in (1, 2):
        turns.append(Message("assistant", f"{block}Thought: I go on.\nAction: go {number}", train=True))
        turns.append(Message("user", f"You are at {number}."))
    return Example(tuple(turns), "good")


def _check_prompts(example: Example, rows: tuple[RenderedExample, ...], prompts: ChatPrompts) -> None:
    """Raise :class:`AgentrError` where a trained turn does not follow the tokens that the search asks with."""
    at = [index for index, message in enumerate(example.messages) if message.train]
    for row in rows:
        for turn in row.turns:
            asked = prompts.ids(example.messages[: at[turn]])
            if row.input_ids[: len(asked)] != asked or row.labels[len(asked)] != row.input_ids[len(asked)]:
                raise AgentrError("the chat template writes training conversations and prompts in different tokens")


def _system(template: ChatTemplate) -> System:
    system, user = Message("system", _MARK), Message("user", _FIRST)
    text = template.text([system, user, Message("assistant", "a"), Message("user", "b")], ask=True)
    if _MARK not in text:
        return "left out"
    if text.index(_MARK) > text.index(_FIRST):
        return "moved"
    folded = template.text([Message("user", f"{_MARK}\n\n{_FIRST}")])
    return "folded" if template.text([system, user]) == folded else "kept"


def _reasoning(template: ChatTemplate) -> Kept:
    if template.asks_for_none:
        return "off"
    if not template.knows_reasoning:
        return "none"
    return "kept" if template.reasoning == "keep" else "left out"
