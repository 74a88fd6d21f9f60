"""What a template will do, said in one line before a run: where the system text goes, what becomes of reasoning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentr_core import TemplateReport, template_report

TokenizerWith = Callable[[str], Any]
TOLD = "You craft things. Answer with a thought and an action."


@pytest.mark.parametrize(
    ("family", "options", "wanted"),
    [
        ("qwen25", {}, TemplateReport("kept", "none", end_of_turn="<|im_end|>")),
        ("qwen3", {}, TemplateReport("kept", "left out", rewritten=True, end_of_turn="<|im_end|>")),
        ("qwen3", {"reasoning": "keep"}, TemplateReport("kept", "kept", end_of_turn="<|im_end|>")),
        ("qwen3", {"enable_thinking": False}, TemplateReport("kept", "off", rewritten=True, end_of_turn="<|im_end|>")),
        ("smollm3", {"reasoning": "off", "date": "2031-02-03"}, TemplateReport("kept", "off", end_of_turn="<|im_end|>",
         day="2031-02-03")),
        ("gptoss", {}, TemplateReport("kept", "left out", rewritten=True, end_of_turn="<|return|>", day="2024-07-26")),
        ("gptoss", {"reasoning": "off"}, TemplateReport("kept", "off", end_of_turn="<|end|>",
         header="<|channel|>final<|message|>", day="2024-07-26")),
        ("magistral", {}, TemplateReport("kept", "left out", rewritten=True, end_of_turn="<|end|>")),
        ("magistral", {"reasoning": "keep"}, TemplateReport("kept", "kept", end_of_turn="<|end|>")),
        ("deepseek", {}, TemplateReport("kept", "left out", rewritten=True, end_of_turn="<｜end▁of▁sentence｜>")),
        ("mistral03", {}, TemplateReport("moved", rewritten=True, end_of_turn="<|end|>")),
        ("gemma3", {}, TemplateReport("folded", end_of_turn="<end_of_turn>")),
        ("strict", {}, TemplateReport("folded", end_of_turn="<|end|>")),
        ("tiny", {}, TemplateReport("left out", end_of_turn="<|end|>")),
    ],
)  # fmt: skip
def test_what_a_template_does_is_found_out(
    family: str, options: dict[str, Any], wanted: TemplateReport, tokenizer_with: TokenizerWith
) -> None:
    tokenizer = tokenizer_with(family)
    found = template_report(tokenizer, options, TOLD)
    names = ("system", "reasoning", "rewritten", "end_of_turn", "header", "day", "problem")
    assert {name: getattr(found, name) for name in names} == {name: getattr(wanted, name) for name in names}
    assert found.instruction_tokens == len(tokenizer(TOLD)["input_ids"])


def test_it_is_said_in_one_line(tokenizer_with: TokenizerWith) -> None:
    tokenizer = tokenizer_with("qwen3")
    tokens = len(tokenizer(TOLD)["input_ids"])
    assert template_report(tokenizer, {}, TOLD).describe() == (
        "system turn kept; reasoning of earlier turns left out; each turn trained as it was asked, in a row of its "
        f"own; turns end with <|im_end|>; {tokens} tokens of instructions"
    )
    said = template_report(tokenizer_with("gptoss"), {"reasoning": "off"}, TOLD).describe()
    assert "answers begin after <|channel|>final<|message|>; it is always 2024-07-26" in said


@pytest.mark.parametrize(
    ("family", "options", "says"),
    [
        ("endless", {}, "cannot be taught to stop"),
        ("deepseek", {"reasoning": "off"}, "has no switch"),
        ("qwen25", {"reasoning": "some"}, "must be 'strip', 'keep' or 'off'"),
    ],
)
def test_what_cannot_be_trained_with_is_a_problem_and_no_error(
    family: str, options: dict[str, Any], says: str, tokenizer_with: TokenizerWith
) -> None:
    report = template_report(tokenizer_with(family), options, TOLD)
    assert report.problem is not None and says in report.problem
    assert report.describe() == report.problem
