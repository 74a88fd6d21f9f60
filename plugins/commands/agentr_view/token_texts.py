"""The text of token ids, by the tokenizer of a model that is here; never fetched, and nothing of torch is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentr_core import AgentrError, is_adapter, local_model

#: Tokenizers that are kept; that of a large vocabulary takes some 50 MB.
KEPT = 2
_FILE = "tokenizer.json"
#: What stands for a letter of which not all bytes are there.
_INCOMPLETE = "\ufffd"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def token_texts(model: str, ids: Sequence[int]) -> list[str | None]:
    """The text of each token of a model's; None for all where its tokenizer is not here."""
    tokenizer = _tokenizer(model) if ids else None
    if tokenizer is None:
        return [None] * len(ids)
    return list(_pieces(tokenizer, list(ids)))


def _pieces(tokenizer: Any, ids: list[int]) -> Iterator[str]:
    """What each token adds to the text, so that all together are the text.

    A token alone says too little: its space may be left out, and a letter may take several of them, of which the last
    one gets it. So each is read behind those that came right before.
    """
    start = told = 0
    for end in range(1, len(ids) + 1):
        whole = tokenizer.decode(ids[start:end], skip_special_tokens=False)
        if whole.endswith(_INCOMPLETE) and end < len(ids):
            yield ""
            continue
        yield whole[len(tokenizer.decode(ids[start:told], skip_special_tokens=False)) :]
        start, told = told, end


@lru_cache(maxsize=KEPT)
def _tokenizer(model: str) -> Any:
    file = _file(model)
    if file is None or find_spec("tokenizers") is None:
        return None
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(file))
    except Exception:  # the library raises this very class for a file that it cannot read
        return None


def _file(model: str) -> Path | None:
    """The tokenizer's file in a model's folder, that of an adapter's base, or the hub's cache; None where none is."""
    try:
        folder = local_model(model)
        if folder is not None and is_adapter(folder) and not (folder / _FILE).is_file():
            about = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
            model = str(about["base_model_name_or_path"])
            folder = local_model(model)
    except (AgentrError, OSError, ValueError, KeyError):
        return None
    if folder is None:
        return _cached(model)
    return folder / _FILE if (folder / _FILE).is_file() else None


def _cached(hub_id: str) -> Path | None:
    if find_spec("huggingface_hub") is None or not _HUB_ID.fullmatch(hub_id):
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub_id, _FILE)
    return Path(found) if isinstance(found, str) else None
