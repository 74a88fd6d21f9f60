"""Token ids as text: only by a tokenizer that is here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from agentr_transformers.models import TINY
from agentr_view.token_texts import token_texts

TEXTS = [
    "Thought: 1x magenta dye needs magenta.\nAction: craft 2 magenta dye using 1 lilac",
    "größer 🚀 than\t\u4e16\u754c",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_texts_of_all_tokens_are_the_text(text: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(TINY / "tokenizer.json"))
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    texts = token_texts("tiny", ids)
    assert len(texts) == len(ids) and "".join(filter(None, texts)) == tokenizer.decode(ids, skip_special_tokens=False)


def test_an_adapter_without_a_tokenizer_has_that_of_its_base(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "tiny"}))
    assert token_texts(str(tmp_path), [5, 6, 7]) == token_texts("tiny", [5, 6, 7]) != [None] * 3


@pytest.mark.parametrize("model", ["no-such/model", "smollm2-135m", "none", "/nowhere", "../../etc", "flawed", ""])
def test_what_is_not_here_is_numbers_and_is_not_fetched(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTR_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    assert token_texts(model, [1, 2]) == [None, None]
    assert not list(tmp_path.iterdir())


def test_a_broken_tokenizer_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    assert token_texts(str(tmp_path), [1]) == [None]
