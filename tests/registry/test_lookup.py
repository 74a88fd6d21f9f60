"""Looking plugins up and making them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import agentr_core
from agentr_core.cli.main import main
from agentr_core.errors import (
    ConfigError,
    DuplicatePluginError,
    MissingDependencyError,
    PluginError,
    UnknownPluginError,
    UsageError,
)
from agentr_core.registry.events import RunFinished
from agentr_core.registry.lookup import Registry, use
from agentr_core.registry.model_names import resolve_model
from agentr_core.registry.specs import hookimpl
from agentr_core.testing import checks

Source = Callable[..., str]
GREEDY = """
from pydantic import Field
from agentr_core import Critic, PluginConfig
class GreedyConfig(PluginConfig):
    argument = "run"
    run: str = Field("none", description="a run")
    depth: int = Field(3, ge=1, description="how deep")
class Greedy(Critic[GreedyConfig]):
    config_class = GreedyConfig
    async def judge(self, bad, good, context): ...
class Plain(Critic):
    async def judge(self, bad, good, context): ...
class Fussy(Critic):
    def __init__(self, config): raise OSError("no such device")
    async def judge(self, bad, good, context): ...
class NoConfig: ...
"""


def test_an_unknown_name_lists_what_there_is_and_guesses() -> None:
    with pytest.raises(UnknownPluginError) as caught:
        Registry().spec("env", "textcarft")
    message = str(caught.value)
    assert message.startswith("no environment is called 'textcarft'. Did you mean 'textcraft'? There are: ")
    assert caught.value.exit_code == 2


def test_a_clash_names_both_distributions_and_harms_no_other_name(
    install: Callable[..., Path], critic_source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    install("acme", "1.0", {"acme_x": critic_source("clash")})
    install("bolt", "2.0", {"bolt_x": critic_source("clash"), "bolt_y": critic_source("alone")})
    registry = Registry()
    assert registry.spec("critic", "alone").name == "alone"
    with pytest.raises(DuplicatePluginError) as caught:
        registry.spec("critic", "clash")
    assert "plugin 'acme_x' of acme 1.0 and plugin 'bolt_x' of bolt 2.0" in str(caught.value)
    assert "critic 'clash' is registered more than once" in caplog.text
    assert Registry(blocked=["bolt"]).entry("critic", "clash").plugin.distribution == "acme"


def test_a_clash_is_an_error_at_once_under_strict(
    install: Callable[..., Path], critic_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("acme", "1.0", {"acme_x": critic_source("clash"), "acme_y": critic_source("clash")})
    monkeypatch.setenv("AGENTR_STRICT_PLUGINS", "1")
    monkeypatch.setenv("AGENTR_PLUGINS", "acme")
    with pytest.raises(DuplicatePluginError):
        Registry().names("env")


def test_create_checks_the_configuration_and_names_the_flag(
    install: Callable[..., Path], critic_source: Source
) -> None:
    install("acme", "1", {"acme_greedy": GREEDY + critic_source("greedy", "acme_greedy:Greedy")})
    registry = Registry()
    assert registry.create("critic", "greedy", {"depth": 5}).config.depth == 5
    with pytest.raises(ConfigError, match=r"^-o greedy\.depth: must be at least 1 \(got 0\)$"):
        registry.create("critic", "greedy", {"depth": 0})
    with pytest.raises(ConfigError, match=r"^-o greedy\.dept: .*did you mean 'depth'\? There are: run, depth$"):
        registry.create("critic", "greedy", {"dept": 2})


def test_what_stands_after_the_colon_is_the_argument(install: Callable[..., Path], critic_source: Source) -> None:
    source = GREEDY + critic_source("greedy", "acme_arg:Greedy")
    plain = critic_source("plain", "acme_arg:Plain")
    install("acme", "1", {"acme_arg": source, "acme_arg_plain": plain})
    registry = Registry()
    assert registry.create("critic", "greedy:last", {}).config.run == "last"
    assert registry.create("critic", "greedy:a:b", {}).config.run == "a:b"
    with pytest.raises(UsageError, match=r"critic 'plain' takes nothing after ':' \(got 'last'\)"):
        registry.create("critic", "plain:last", {})


def test_a_module_and_class_can_be_named_without_packaging(
    install: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_own_critics.py").write_text(GREEDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    registry = Registry()
    made = registry.create("critic", "my_own_critics:Greedy", {"depth": 2}, prefix="-o critic.")
    assert (type(made).__name__, made.config.depth) == ("Greedy", 2)
    [row] = registry.provenance([("critic", "my_own_critics:Greedy")])
    assert row["distribution"] == str(tmp_path / "my_own_critics.py") and len(row["version"]) == 12
    with pytest.raises(PluginError, match="there is no 'Missing' in my_own_critics"):
        registry.create("critic", "my_own_critics:Missing", {})
    with pytest.raises(UnknownPluginError):
        registry.create("critic", "not_my_module:Greedy", {})


def test_a_missing_package_names_the_extra_of_the_right_distribution(
    install: Callable[..., Path], critic_source: Source
) -> None:
    needs = critic_source("needs", "acme_needs:Greedy", requires=("no_such_lib",), extra="big")
    bare = critic_source("bare", "acme_needs:Greedy", requires=("no_such_lib.inner",))
    lazy = critic_source("lazy", "acme_lazy:Greedy", extra="lazy")
    modules = {"acme_needs": GREEDY + needs, "acme_bare": bare, "acme_spec_lazy": lazy}
    site = install("acme-dist", "1", modules)
    (site / "acme_lazy.py").write_text("import no_such_lib")
    registry = Registry()
    with pytest.raises(MissingDependencyError) as caught:
        registry.create("critic", "needs", {})
    expected = "critic 'needs' needs the package 'no_such_lib': pip install 'acme-dist[big]'"
    assert (str(caught.value), caught.value.exit_code) == (expected, 4)
    with pytest.raises(MissingDependencyError, match=r"pip install no_such_lib\.inner$"):
        registry.create("critic", "bare", {})
    with pytest.raises(
        MissingDependencyError, match=r"needs the package 'no_such_lib': pip install 'acme-dist\[lazy\]'"
    ):
        registry.create("critic", "lazy", {})


def test_a_target_that_is_no_plugin_says_so(install: Callable[..., Path], critic_source: Source) -> None:
    fussy = critic_source("fussy", "acme_bad:Fussy")
    modules = {
        "acme_bad": GREEDY + fussy,
        "acme_bad_b": critic_source("no-config", "acme_bad:NoConfig"),
        "acme_bad_c": critic_source("gone", "acme_bad:Gone"),
    }
    install("acme", "1", modules)
    registry = Registry()
    with pytest.raises(PluginError, match="making critic 'fussy': OSError: no such device"):
        registry.create("critic", "fussy", {})
    with pytest.raises(PluginError, match="has no config_class"):
        registry.create("critic", "no-config", {})
    with pytest.raises(PluginError, match=r"there is no 'Gone' in acme_bad \(acme 1\)"):
        registry.create("critic", "gone", {})


FORMER = """
from agentr_core import Completion, Policy, PluginSpec, hookimpl
from agentr_core.testing import CounterEnvironment
class Former(Policy):
    def __init__(self, config): raise AssertionError("a model was loaded for nothing")
    async def sample(self, messages, *, n, params, session, seed, task=None, purpose="act"): ...
class World(CounterEnvironment):
    def instructions(self): return "Count."
class Relaying(Policy):
    async def sample(self, *args, **kwargs): return [Completion(text="Action: stop")] * args[0].n
@hookimpl
def agentr_register_policies():
    return [PluginSpec(kind="policy", name=each.lower(), target=f"acme_former:{each}", summary="an actor")
            for each in ("Former", "Relaying")]
@hookimpl
def agentr_register_environments():
    return [PluginSpec(kind="env", name="old-world", target="acme_former:World", summary="a world")]
"""


def test_a_plugin_for_an_older_agentr_is_told_in_a_sentence_before_it_is_made(install: Callable[..., Path]) -> None:
    install("acme", "1", {"acme_former": FORMER})
    registry = Registry()
    with pytest.raises(PluginError) as caught:
        registry.create("policy", "former", {})
    assert (str(caught.value), caught.value.exit_code) == (
        "policy 'former' was written for an older agentr: its sample() takes messages, n, params, session, seed, task, "
        "purpose instead of one request; write `async def sample(self, request: SampleRequest)` and read "
        "request.messages, request.n and so on",
        4,
    )
    with pytest.raises(PluginError) as caught:
        registry.create("env", "old-world", {})
    assert str(caught.value) == (
        "environment 'old-world' was written for an older agentr: its instructions() takes nothing instead of the "
        "task; write `def instructions(self, task: Task)`, which may ignore the task"
    )
    assert type(registry.create("policy", "relaying", {})).__name__ == "Relaying"


def test_the_contract_of_a_plugin_for_an_older_agentr_is_one_rule(
    install: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    install("acme", "1", {"acme_former": FORMER})
    for name, rule in (("former", "policy: it is"), ("old-world", "environment: it is")):
        assert main(["plugins", "check", name]) == 4
        said = capsys.readouterr()
        [line] = said.out.splitlines()
        assert line.startswith(f"FAILED  {rule} written for this agentr (expected a plugin for this agentr, got one ")
        assert f"'{name}' breaks 1 of 1 rules" in said.err
    assert len(checks("policy", "relaying", plugins=Registry())) > 10


class Watcher:
    """An observer that a notebook might register."""

    def __init__(self, fail: bool = False) -> None:
        self.seen: list[RunFinished] = []
        self.fail = fail

    @hookimpl
    def agentr_run_finished(self, event: RunFinished) -> None:
        self.seen.append(event)
        if self.fail:
            raise ValueError("observer's own trouble")


def test_observers_are_told_and_a_failing_one_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    watchers = [Watcher(), Watcher(fail=True), Watcher()]
    for number, watcher in enumerate(watchers):
        registry.register(watcher, f"watcher-{number}")
    event = RunFinished("01K9", "done")
    with caplog.at_level(logging.WARNING, logger="agentr.plugins"):
        registry.notify(event)
    assert [watcher.seen for watcher in watchers] == [[event]] * 3
    assert "agentr_run_finished of 'this process:watcher-1' failed: ValueError: observer's own trouble" in caplog.text


def test_the_python_face_makes_any_plugin() -> None:
    made = agentr_core.create("env", "textcraft", max_steps=7)
    assert made.config.max_steps == 7
    with pytest.raises(ConfigError, match=r"^textcraft: max_steps: must be at least"):
        agentr_core.create("env", "textcraft", max_steps=-1)


def test_what_else_to_say_about_a_missing_package(install: Callable[..., Path], critic_source: Source) -> None:
    source = critic_source("builds", requires=("no_such_lib",), extra="fast", advice="; or build it yourself")
    install("acme-dist", "1", {"acme_builds": source})
    with pytest.raises(MissingDependencyError, match=r"pip install 'acme-dist\[fast\]'; or build it yourself$"):
        Registry().require("critic", "builds")


def test_a_model_with_a_short_name(install: Callable[..., Path], tmp_path: Path) -> None:
    source = (
        "from pathlib import Path\n"
        "from agentr_core import ModelSpec, hookimpl\n"
        "def folder(): return Path(__file__).parent\n"
        "@hookimpl\n"
        "def agentr_register_models(): return [ModelSpec('small', 'acme_models:folder')]\n"
    )
    site = install("acme", "1", {"acme_models": source})
    use(Registry())
    assert resolve_model("small") == site
    with pytest.raises(UsageError, match=r"there is no model folder '\./small'; .* or one of: .*small"):
        resolve_model("./small")


def test_a_module_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownPluginError, match=r"no critic is called 'nomod:Foo', and no module 'nomod' can be imp"):
        Registry().entry("critic", "nomod:Foo")
