"""Every registered plugin keeps the contract of its kind, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentr_core.hookspecs import Kind
from agentr_core.registry import Registry
from agentr_core.testing import Check, checks

#: These load a language model.
MODELS = {("policy", "transformers"), ("critic", "judge"), ("trainer", "sft")}
#: Options without which a plugin cannot be made; None: it needs a stored run (see tests/policies).
OPTIONS: dict[tuple[str, str], dict[str, object] | None] = {
    ("policy", "replay"): None,
    ("trainer", "sft"): {"epochs": 1, "batch_size": 4, "save_steps": 1},
}


def every_check() -> Iterator[object]:
    plugins = Registry()
    for entry in plugins.entries():
        key: tuple[Kind, str] = (entry.spec.kind, entry.spec.name)
        options = OPTIONS.get(key, {})
        if options is None:
            continue
        marks = [pytest.mark.model] if key in MODELS else []
        for check in checks(*key, options, plugins=plugins):
            yield pytest.param(check, id=f"{entry.spec.name}-{check}", marks=marks)


@pytest.mark.parametrize("check", every_check())
def test_contract(check: Check) -> None:
    check()


def test_all_plugins_were_loaded() -> None:
    assert not Registry().failures
