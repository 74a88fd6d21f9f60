"""Several environments of one run: how they are named, and what each has of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentr_core.cli.config import _tables
from agentr_core.errors import UsageError
from agentr_core.settings.layer import Layer, file_layer, flag_layer, stored_layer
from agentr_core.settings.layers import Resolved, resolve
from agentr_core.settings.run_config import RunConfig
from agentr_core.settings.toml_text import to_toml

LIGHT = {"policy": "flawed", "searcher": "greedy", "critic": "last", "trainer": "none"}
FORMS = {
    "names": 'env = "textcraft,webshop"\n[webshop]\nproducts = 50\nweight = 2\nsearch.tasks = 7\n',
    "list": 'env = ["textcraft", "webshop"]\n[webshop]\nproducts = 50\nweight = 2\n[webshop.search]\ntasks = 7\n',
    "tables": '[[env]]\nname = "textcraft"\n[[env]]\nname = "webshop"\nproducts = 50\nweight = 2\nsearch.tasks = 7\n',
}


def settle(*layers: Layer) -> Resolved:
    return resolve([*layers, Layer("test", LIGHT)])


@pytest.mark.parametrize("form", FORMS)
def test_three_ways_to_name_them_say_the_same(form: str, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(FORMS[form])
    config = settle(file_layer(tmp_path / "run.toml")).config
    assert config.environments == ["textcraft", "webshop"] and config.env[1].options["products"] == 50
    assert (config.search_of("textcraft").tasks, config.search_of("webshop").tasks) == (100, 7)
    assert config.weights == {"textcraft": 1.0, "webshop": 2.0}
    flags = ["webshop.products=50", "webshop.weight=2", "webshop.search.tasks=7"]
    assert settle(flag_layer({"env": ("--env", "textcraft,webshop")}, flags)).config.hash == config.hash


def test_what_is_shown_is_read_again_and_a_stored_run_goes_on(tmp_path: Path) -> None:
    shown = settle(flag_layer({"env": ("--env", "webshop,textcraft")}, ["webshop.evaluate.tasks=3", "env.max_steps=9"]))
    assert [chosen.options["max_steps"] for chosen in shown.config.env] == [9, 9]
    (tmp_path / "run.toml").write_text(to_toml(_tables(shown)))
    assert settle(file_layer(tmp_path / "run.toml")).config.hash == shown.config.hash
    stored = shown.config.model_dump(mode="json")
    assert resolve([stored_layer("stored", stored)]).config.hash == shown.config.hash
    assert RunConfig.model_validate(stored).hash == shown.config.hash


def test_one_environment_is_stored_as_it_always_was() -> None:
    config = settle(flag_layer({"env": ("--env", "textcraft")})).config
    assert set(config.model_dump(mode="json")["env"]) == {"name", "options"}


def test_what_is_typed_for_all_goes_before_what_a_preset_says_of_one() -> None:
    three = {"env": ("--env", "textcraft,webshop,sciworld"), "preset": ("--preset", "paper")}
    light = ["transformers.model=tiny"]
    paper = resolve([flag_layer(three, light), Layer("test", {"policy": "transformers"})], require=False).config
    assert [paper.search_of(name).tasks for name in paper.environments] == [200, 300, 200]
    assert [paper.evaluate_of(name).split for name in paper.environments] == ["agentr_test"] * 3
    assert [paper.evaluate_of(name).tasks for name in paper.environments] == [100, 200, 200]
    few = resolve([flag_layer({**three, "search.tasks": ("--tasks", 5)}, light)], require=False).config
    assert [few.search_of(name).tasks for name in few.environments] == [5, 5, 5]
    own = resolve([flag_layer(three, [*light, "webshop.search.tasks=9"])], require=False).config
    assert own.search_of("webshop").tasks == 9


@pytest.mark.parametrize(
    ("env", "options", "message"),
    [
        ("textcraft,textcraft", [], r"--env: 'textcraft' is named twice"),
        ("textcraft,", [], r"--env: must be the name of a plugin, or several: a,b \(got 'textcraft,'\)"),
        ("textcraft,webshp", [], r"no environment is called 'webshp'.* Did you mean 'webshop'"),
        ("textcraft,webshop", ["env.products=3", "env.nothing=1"], r"-o env\.nothing: there is no setting of these"),
        ("textcraft,webshop", ["webshop.search.taks=3"], r"-o webshop\.search\.taks|webshop\.search\.taks"),
        ("textcraft,webshop", ["webshop.evaluate.tasks=0"], r"webshop\.evaluate\.tasks"),
        ("textcraft,webshop", ["webshop.evaluate.repeats=3"], r"webshop\.evaluate\.repeats: is one for all"),
        ("textcraft,webshop", ["webshop.weight=-1"], r"-o webshop\.weight: must be at least 0"),
        ("textcraft,webshop", ["webshop.weight=0", "textcraft.weight=0"], r"textcraft\.weight: one environment at l"),
        ("textcraft,webshop", ["sciworld.max_steps=3"], r"'sciworld' is not in use; in use are env 'textcraft', env"),
    ],
    ids=str,
)
def test_a_wrong_one_says_what_was_wrong(env: str, options: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        settle(flag_layer({"env": ("--env", env)}, options))
    assert str(caught.value).count("\n") == 0


def test_weight_0_leaves_one_out_and_weighs_no_other() -> None:
    def config(*options: str) -> Any:
        return settle(flag_layer({"env": ("--env", "textcraft,webshop")}, options)).config

    left_out = config("webshop.weight=0")
    assert left_out.weights == {"webshop": 0.0} and left_out.trained_environments == ["textcraft"]
    assert config("webshop.weight=0", "textcraft.weight=3").weights == {"textcraft": 3.0, "webshop": 0.0}
    assert config().weights == {} and config().trained_environments == ["textcraft", "webshop"]


def test_two_worlds_of_one_plugin_have_options_in_common_and_of_their_own() -> None:
    pytest.importorskip("gymnasium")
    lake, cliff = "gymnasium:FrozenLake-v1", "gymnasium:CliffWalking-v1"
    typed = ["gymnasium.max_steps=9", f"{cliff}.max_steps=11", f"{cliff}.search.tasks=3", "gymnasium.weight=2"]
    found = settle(flag_layer({"env": ("--env", f"{lake},{cliff}")}, typed))
    assert [chosen.options["max_steps"] for chosen in found.config.env] == [9, 11]
    assert [found.config.search_of(name).tasks for name in (lake, cliff)] == [100, 3]
    assert found.config.weights == {lake: 2.0, cliff: 2.0}
    assert found.sources[f"{cliff}.max_steps"] == f"-o {cliff}.max_steps"
    beside = Layer("run.toml", {"env": [{"name": lake}, {"name": cliff, "max_steps": 5}]})
    later = settle(flag_layer({}, [f"{cliff}.max_steps=7"]), beside)
    assert [chosen.options["max_steps"] for chosen in later.config.env] == [100, 7]
    with pytest.raises(UsageError, match=f"-o {cliff}.max_stps: there is no such setting; did you mean 'max_steps'"):
        settle(flag_layer({}, [f"{cliff}.max_stps=7"]), beside)


def test_what_is_typed_of_one_goes_before_what_is_typed_of_all() -> None:
    typed = ["env.max_steps=9", "webshop.max_steps=7", "webshop.search.tasks=3", "env.search.tasks=5"]
    found = settle(flag_layer({"env": ("--env", "textcraft,webshop")}, typed))
    assert [chosen.options["max_steps"] for chosen in found.config.env] == [9, 7]
    assert [found.config.search_of(name).tasks for name in ("textcraft", "webshop")] == [5, 3]
    assert found.sources["webshop.max_steps"] == "-o webshop.max_steps"


def test_a_class_in_a_module_below_another_has_options_of_its_own() -> None:
    name = "agentr_textcraft.env:TextCraft"
    found = settle(flag_layer({"env": ("--env", f"webshop,{name}")}, [f"{name}.depth=2", f"{name}.search.tasks=3"]))
    assert found.config.env[1].options["depth"] == 2 and found.config.search_of(name).tasks == 3


def test_a_wrong_table_is_named_as_it_stands_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('[[env]]\nname = "textcraft"\ntrain.x = 5\n[[env]]\nname = "webshop"\n')
    with pytest.raises(UsageError, match=r"^run\.toml: textcraft\.train\.x: there is no such setting"):
        settle(file_layer(tmp_path / "run.toml"))


def test_differences_name_the_environment() -> None:
    def config(*options: str) -> Any:
        return settle(flag_layer({"env": ("--env", "textcraft,webshop")}, options)).config

    [(setting, old, new)] = config().differences(config("webshop.max_steps=7"))
    assert (setting, old, new) == ("webshop.options.max_steps", 100, 7)
