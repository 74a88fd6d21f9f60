"""Settings from flags, the environment, run.toml and presets: who wins, and what a wrong one says."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import agentr_core
from agentr_core.cli.main import main
from agentr_core.errors import AgentrError, ConfigError, UsageError
from agentr_core.registry.lookup import use
from agentr_core.settings.layer import Layer, environment_layer, file_layer, flag_layer, parse_value, stored_layer
from agentr_core.settings.layers import Resolved, resolve
from agentr_core.settings.presets import PRESETS

#: Plugins that need no package, so that these tests say nothing about what is installed.
LIGHT = {"policy": "flawed", "searcher": "greedy", "critic": "last", "trainer": "none"}


@pytest.fixture(autouse=True)
def _fresh_registry() -> Iterator[None]:
    use(None)
    yield
    use(None)


def settle(*layers: Layer) -> Resolved:
    return resolve([*layers, Layer("test", LIGHT)])


def test_the_first_source_that_names_a_setting_wins(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("seed = 1\niterations = 5\n[search]\ntasks = 7\nsplit = 'valid'\n")
    file = file_layer(tmp_path / "run.toml")
    environment = environment_layer({"search.tasks": ("AGENTR_TASKS", 8), "iterations": ("AGENTR_ITERATIONS", 6)})
    flags = flag_layer({"search.tasks": ("--tasks", 9)})
    resolved = settle(flags, environment, file)
    search = resolved.config.search
    assert (search.tasks, search.split, resolved.config.iterations, resolved.config.seed) == (9, "valid", 6, 1)
    assert {
        key: resolved.sources[key] for key in ("search.tasks", "iterations", "seed", "search.split", "concurrency")
    } == {
        "search.tasks": "--tasks",
        "iterations": "AGENTR_ITERATIONS",
        "seed": "run.toml",
        "search.split": "run.toml",
        "concurrency": "default",
    }
    assert settle().sources["search.tasks"] == "preset quick"


def test_a_plugin_is_named_by_string_or_table_and_its_options_by_name_or_kind(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('env = "textcraft"\n[textcraft]\nmax_steps = 11\n')
    (tmp_path / "b.toml").write_text('[env]\nname = "textcraft"\nmax_steps = 12\n')
    assert settle(file_layer(tmp_path / "a.toml")).config.env[0].options["max_steps"] == 11
    assert settle(file_layer(tmp_path / "b.toml")).config.env[0].options["max_steps"] == 12
    both = settle(flag_layer({"env": ("--env", "textcraft")}, ["env.max_steps=13"]), file_layer(tmp_path / "b.toml"))
    assert both.config.env[0].options["max_steps"] == 13
    assert both.sources["env.max_steps"] == "-o env.max_steps"
    assert settle(flag_layer({}, ["textcraft.max_steps=14"])).config.env[0].options["max_steps"] == 14


def test_the_stored_options_hold_every_default() -> None:
    options = settle().config.env[0].options
    config_class = agentr_core.create("env", "textcraft").config_class
    assert set(options) == set(config_class.model_fields)


def test_a_table_of_a_plugin_that_is_not_in_use_counts_in_files_only(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("[mcts]\nsamples = 2\n")
    assert settle(file_layer(tmp_path / "run.toml")).config.searcher.name == "greedy"
    with pytest.raises(ConfigError, match=r"^-o mcts\.samples: 'mcts' is not in use; in use are env 'textcraft', "):
        settle(flag_layer({}, ["mcts.samples=2"]))


def test_an_option_goes_to_the_one_of_two_namesakes_that_has_it(tmp_path: Path) -> None:
    """The critic ``value`` has no options, the trainer ``value`` has some."""
    chosen = {"critic": ("--critic", "value"), "trainer": ("--trainer", "value")}
    typed = resolve([flag_layer(chosen, ["value.learning_rate=0.5"])])
    file = tmp_path / "run.toml"
    file.write_text('critic = "value"\ntrainer = "value"\nvalue.learning_rate = 0.5\n')
    for found in (typed, resolve([file_layer(file)])):
        assert found.config.trainer.options["learning_rate"] == 0.5 and found.config.critic.options == {}
    with pytest.raises(ConfigError, match=r"value\.learning_rat: there is no such setting"):
        resolve([flag_layer(chosen, ["value.learning_rat=0.5"])])


def test_a_preset_table_counts_only_for_its_plugin() -> None:
    assert "model" not in settle().config.policy.options
    with pytest.raises(ConfigError, match=r"^--model: policy 'flawed' takes no model \(got x\)$"):
        settle(flag_layer({"model": ("--model", "x")}))


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_is_valid(preset: str) -> None:
    resolved = resolve([flag_layer({"preset": ("--preset", preset)})], require=False)
    assert resolved.preset == preset
    assert resolved.config.model_validate(resolved.config.model_dump(mode="json")) == resolved.config


def test_the_paper_preset_has_the_values_of_the_paper() -> None:
    config = resolve([flag_layer({"preset": ("--preset", "paper")})], require=False).config
    searcher = config.searcher.options
    assert {key: searcher[key] for key in ("simulations", "depth", "samples", "c_uct", "temperature")} == {
        "simulations": 8,
        "depth": 20,
        "samples": 4,
        "c_uct": 0.25,
        "temperature": 1.0,
    }
    assert [config.revise.alpha_at(iteration) for iteration in (1, 2, 3, 4)] == [0.5, 0.7, 1.0, 1.0]
    assert (config.revise.beta, config.revise.beta_mode, config.revise.splice) == (0.2, "gap", "recorded")
    assert (config.iterations, config.search.tasks, config.revise.revision_action) == (3, 200, "wait")


def test_one_number_is_a_list_of_one() -> None:
    assert settle(flag_layer({}, ["revise.alpha=0.0"])).config.revise.alpha == (0.0,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["searcher.depth=0"], r"-o searcher\.depth: must be at least 1 \(got 0\)"),
        (["env.max_stepz=3"], r"-o env\.max_stepz: there is no such setting; did you mean 'max_steps'\? There are: "),
        (["env.max_steps=lots"], r"-o env\.max_steps: should be a valid integer.* \(got lots\)"),
        (["search.taks=3"], r"-o search\.taks: there is no setting 'taks'\. Did you mean 'tasks'\? There are: tasks, "),
        (["search=3"], r"-o search: is a table of settings: tasks, split, rotate, sampler \(got 3\)"),
        (["itertions=3"], r"-o itertions: there is no setting 'itertions'\. Did you mean 'iterations'\?"),
        (["textcarft.depth=3"], r"-o textcarft\.depth: there is no plugin 'textcarft'\. Did you mean 'textcraft'\?"),
        (["revise.alpha=[0.5, 2]"], r"-o revise\.alpha: "),
        (["revise.alpha=[]"], r"-o revise\.alpha: must not be empty"),
        (["revise.alpha=high"], r"-o revise\.alpha: must be a list, such as \[1, 2\] \(got high\)"),
        (
            ["policy=transformers", "policy.template_options=3"],
            r"-o policy\.template_options: must be a table, such as {key = 1}",
        ),
        (["iterations=0"], r"-o iterations: must be at least 1 \(got 0\)"),
        (
            ["trainer=sft", "sft.processes=0"],
            r"-o sft\.processes: should be 'auto' \(got 0\); -o sft\.processes: must be at least 1",
        ),
        (["flawed.rate=inf"], r"-o flawed\.rate: should be a finite number \(got inf\)"),
        (["max_steps"], r"-o max_steps: write KEY=VALUE, e\.g\. -o env\.max_steps=30"),
        (["env..x=1"], r"-o env\.\.x=1: write KEY=VALUE"),
        (["seed.x=1", "seed.y=2"], r"-o seed\.x: "),
        (["data.eta=0.5"], r"data: eta below 1 mixes in general conversations"),
        (["env=7"], r"-o env: must be the name of a plugin, or several: a,b \(got '7'\)"),
    ],
    ids=str,
)
def test_a_wrong_setting_names_what_was_typed(options: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        settle(flag_layer({}, options))


def test_a_wrong_setting_in_a_file_or_variable_names_it(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("[search]\ntasks = 0\n")
    with pytest.raises(ConfigError, match=r"^run\.toml: search\.tasks: must be at least 1 \(got 0\)$"):
        settle(file_layer(tmp_path / "run.toml"))
    with pytest.raises(ConfigError, match=r"^AGENTR_SEED: must be at least 0 \(got -1\)$"):
        settle(environment_layer({"seed": ("AGENTR_SEED", -1)}))


def test_a_preset_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"^--preset: there is no preset 'papr'; there are: quick, paper$"):
        settle(flag_layer({"preset": ("--preset", "papr")}))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-with-mark", "utf-16-be-with-mark"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_is_read_as_editors_and_shells_write_it(tmp_path: Path, encoding: str, newline: str) -> None:
    text = newline.join(['name = "größer"', "iterations = 3", "[search]", "tasks = 7", ""])
    codec = encoding.removesuffix("-with-mark")
    (tmp_path / "run.toml").write_bytes((("\ufeff" if codec != encoding else "") + text).encode(codec))
    resolved = settle(file_layer(tmp_path / "run.toml"))
    assert (resolved.name, resolved.config.iterations, resolved.config.search.tasks) == ("größer", 3, 7)


def test_a_file_that_is_missing_or_not_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--config: there is no file '.*none\.toml'$"):
        file_layer(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("iterations: 3\n")
    with pytest.raises(ConfigError, match=r"^--config: '.*bad\.toml' is not TOML: "):
        file_layer(tmp_path / "bad.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not TOML"):
        file_layer(tmp_path / "binary.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        file_layer(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30", 30),
        ("0.25", 0.25),
        ("true", True),
        ("[0.5, 0.7]", [0.5, 0.7]),
        ("'30'", "30"),
        ("strict", "strict"),
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("", ""),
        ("1\nseed = 2", "1\nseed = 2"),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_values_are_toml_else_text(text: str, value: object) -> None:
    parsed = parse_value(text)
    assert parsed == value and type(parsed) is type(value)


def test_what_a_resumed_run_must_share() -> None:
    stored = settle(flag_layer({}, ["concurrency=1"])).config
    assert settle(flag_layer({}, ["concurrency=2"])).config.hash == stored.hash
    other = settle(flag_layer({}, ["env.max_steps=9", "seed=5"])).config
    assert other.hash != stored.hash
    assert stored.differences(other) == [
        ("env.options.max_steps", stored.env[0].options["max_steps"], 9),
        ("seed", 0, 5),
    ]


def test_where_training_is_done_is_no_part_of_a_run() -> None:
    stored = settle(flag_layer({}, ["trainer=sft,dpo", "sft.epochs=[3.0]"])).config
    other = settle(
        flag_layer({}, ["trainer=sft,dpo", "sft.epochs=[3.0]", "sft.processes=2", "dpo.sharding=fsdp2"])
    ).config
    assert other.hash == stored.hash and stored.differences(other) == []
    placed = stored.placed_as(other)
    assert placed == other != stored
    assert stored.differences(settle(flag_layer({}, ["trainer=sft,dpo", "sft.processes=2"])).config)


def test_plugin_files_named_in_a_file_are_loaded(tmp_path: Path) -> None:
    plugin = tmp_path / "settings_plugin.py"
    plugin.write_text(
        "from agentr_core import Critic, PluginSpec, hookimpl\n"
        "class Mine(Critic):\n"
        "    async def judge(self, bad, good, context): ...\n"
        "@hookimpl\n"
        "def agentr_register_critics():\n"
        "    return [PluginSpec(kind='critic', name='mine', target='settings_plugin:Mine')]\n"
    )
    config = settle(Layer("run.toml", {"critic": "mine", "plugins": [str(plugin)]})).config
    assert (config.critic.name, config.plugins) == ("mine", (str(plugin),))


def test_configure_is_the_same_in_python() -> None:
    config = agentr_core.configure(**LIGHT, iterations=1, textcraft={"max_steps": 5})
    assert (config.iterations, config.env[0].options["max_steps"]) == (1, 5)
    with pytest.raises(AgentrError, match="iteration"):
        agentr_core.configure(**LIGHT, iteration=1)


def arguments(*more: str) -> list[str]:
    return [*(part for kind, name in LIGHT.items() for part in (f"--{kind}", name)), *more]


def test_config_show_prints_a_run_toml_with_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTR_SEED", "17")
    assert main(["config", "show", *arguments("-o", "env.max_steps=21", "--tasks", "3")]) == 0
    printed = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert {"seed = 17 # AGENTR_SEED", "max_steps = 21 # -o env.max_steps", "iterations = 1 # preset quick"} < set(
        lines
    )
    (tmp_path / "again.toml").write_text(printed)
    assert tomllib.loads(printed)["search"]["tasks"] == 3
    monkeypatch.delenv("AGENTR_SEED")
    assert main(["config", "show", "--json", "--config", str(tmp_path / "again.toml")]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["settings"]["env"]["max_steps"] == 21 and again["settings"]["seed"] == 17
    assert again["sources"]["seed"] == "again.toml"


def test_a_flag_beats_its_variable(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTR_TASKS", "4")
    assert main(["config", "show", "--json", *arguments("--tasks", "5")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["settings"]["search"]["tasks"], shown["sources"]["search.tasks"]) == (5, "--tasks")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["-o", "searcher.depth=0"], "error: -o searcher.depth: must be at least 1 (got 0)"),
        (["--env", "textcarft"], "error: no environment is called 'textcarft'. Did you mean 'textcraft'?"),
        (["--config", "nowhere.toml"], "error: --config: there is no file 'nowhere.toml'"),
    ],
)
def test_wrong_settings_end_with_code_2(capsys: pytest.CaptureFixture[str], wrong: list[str], message: str) -> None:
    assert main(["config", "show", *arguments(*wrong)]) == 2
    assert message in capsys.readouterr().err


def test_config_schema_comes_from_the_configuration_class(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema", "env", "textcraft"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["additionalProperties"] is False
    assert all(field["description"] for field in schema["properties"].values())
    assert main(["config", "schema"]) == 0
    assert "iterations" in json.loads(capsys.readouterr().out)["properties"]


def test_options_of_a_stored_run_hold_for_a_class_that_nobody_installed(tmp_path, monkeypatch) -> None:
    (tmp_path / "counting.py").write_text("from agentr_core.testing import CounterEnvironment\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    env = {"name": "counting:CounterEnvironment", "max_steps": 5}
    stored = resolve([Layer("configure", {"env": env, "policy": "flawed", "trainer": "none"})]).config
    again = resolve([stored_layer("run", stored.model_dump(mode="json"))]).config
    assert again.env == stored.env and again.env[0].options["max_steps"] == 5
    other = resolve([Layer("flag", {"env": "textcraft"}), stored_layer("run", stored.model_dump(mode="json"))]).config
    assert other.env[0].options["max_steps"] == 40
