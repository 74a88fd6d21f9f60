"""Settings by dotted key, and where each came from."""

from __future__ import annotations

from agentr_core.settings.dotted import with_sources


def test_what_is_set_of_one_of_several_environments_has_the_source_of_its_flag() -> None:
    worlds = {
        "name": "textcraft,webshop",
        "textcraft": {"options": {"seed": 0}},
        "webshop": {"options": {"products": 9}},
    }
    sources = {"env": "--env", "webshop.products": "-o webshop.products", "policy": "preset quick"}
    stored = {"env": worlds, "policy": {"name": "tiny", "options": {"rate": 1}}, "sources": sources}
    assert {key: source for key, _, source in with_sources(stored)} == {
        "env.name": "--env",
        "env.textcraft.options.seed": "default",
        "env.webshop.options.products": "-o webshop.products",
        "policy.name": "preset quick",
        "policy.options.rate": "default",
    }
