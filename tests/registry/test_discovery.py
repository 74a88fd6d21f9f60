"""Loading: order, allow and block lists, and what a broken plugin does to the others."""

from __future__ import annotations

import logging
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from agentr_core.errors import PluginError, UsageError
from agentr_core.registry.lookup import Registry

Source = Callable[..., str]
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BUILT_IN = set(PROJECT["entry-points"]["agentr"])


def names(registry: Registry) -> set[str]:
    return {plugin.name for plugin in registry.plugins} - BUILT_IN


def test_an_installed_plugin_is_found_with_its_distribution(
    install: Callable[..., Path], critic_source: Source
) -> None:
    install("acme-critics", "3.1", {"acme_a": critic_source("acme-first")})
    entry = Registry().entry("critic", "acme-first")
    assert (entry.plugin.name, entry.plugin.distribution, entry.plugin.version) == ("acme_a", "acme-critics", "3.1")
    assert entry.plugin.hooks == ("agentr_register_critics",)


def test_plugins_load_in_the_order_of_their_names(install: Callable[..., Path], critic_source: Source) -> None:
    install("acme", "1", {"zz_last": critic_source("one"), "aa_first": critic_source("two")})
    found = [plugin.name for plugin in Registry().plugins]
    assert found == sorted(found)


def test_the_allow_list_applies_before_the_import(
    install: Callable[..., Path], critic_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("acme", "1", {"acme_b": critic_source("b"), "acme_c": "raise SystemExit('imported')"})
    monkeypatch.setenv("AGENTR_PLUGINS", "acme_b, textcraft")
    registry = Registry()
    assert [plugin.name for plugin in registry.plugins] == ["acme_b", "textcraft"]
    assert not registry.failures and "acme_c" in registry.skipped and "acme_c" not in sys.modules


def test_an_empty_allow_list_loads_nothing(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTR_PLUGINS", "")
    assert Registry().plugins == ()


@pytest.mark.parametrize("blocked", ["acme_d", "acme-dist"])
def test_the_block_list_takes_plugins_and_distributions(
    install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, blocked: str
) -> None:
    install("acme-dist", "1", {"acme_d": "raise SystemExit('imported')"})
    assert not names(Registry(blocked=[blocked]))
    monkeypatch.setenv("AGENTR_DISABLE_PLUGINS", f"other,{blocked}")
    assert not names(Registry())
    assert "acme_d" not in sys.modules


def test_a_built_in_plugin_can_be_left_out(install: Callable[..., Path]) -> None:
    assert "textcraft" in Registry().names("env")
    assert "textcraft" not in Registry(blocked=["textcraft"]).names("env")


def test_leaving_out_what_does_not_exist_is_an_error(install: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match=r"--no-plugin: no plugin is called 'nowhere'\. There are: .*textcraft"):
        _ = Registry(blocked=["nowhere"]).plugins


BROKEN = {
    "import": ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
    "syntax": ("def (:", "SyntaxError"),
    "no_hooks": ("x = 1", "implements no hook of agentr"),
    "misspelt": (
        "from agentr_core import hookimpl\n@hookimpl\ndef agentr_register_critic(): return []",
        "there is no hook 'agentr_register_critic'; did you mean 'agentr_register_critics'?",
    ),
    "argument": (
        "from agentr_core import hookimpl\n@hookimpl\ndef agentr_register_critics(register): return []",
        "Argument(s) {'register'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "raises": (
        "from agentr_core import hookimpl\n@hookimpl\ndef agentr_register_critics(): return 1 / 0",
        "ZeroDivisionError",
    ),
    "no_list": (
        "from agentr_core import hookimpl\n@hookimpl\ndef agentr_register_critics(): return 3",
        "TypeError",
    ),
    "wrong_kind": (
        "from agentr_core import hookimpl, PluginSpec\n@hookimpl\ndef agentr_register_critics():\n"
        "    return [PluginSpec(kind='env', name='x', target='a:B')]",
        "is no PluginSpec of kind 'critic'",
    ),
    "no_target": (
        "from agentr_core import hookimpl, PluginSpec\n@hookimpl\ndef agentr_register_critics():\n"
        "    return [PluginSpec(kind='critic', name='x', target='json')]",
        "a target is written 'module:Class'",
    ),
}


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_a_broken_plugin_is_a_warning_and_the_rest_goes_on(
    install: Callable[..., Path], critic_source: Source, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    source, reason = BROKEN[what]
    # The first by name is broken, so that whatever it leaves behind could harm the next.
    install("acme", "2.5", {f"aaa_{what}": source, "zzz_fine": critic_source("fine")})
    with caplog.at_level(logging.WARNING, logger="agentr.plugins"):
        registry = Registry()
        assert names(registry) == {"zzz_fine"}
    assert reason in registry.failures[f"aaa_{what}"].reason
    assert f"plugin 'aaa_{what}' of acme 2.5 was not loaded" in caplog.text
    assert f"AGENTR_DISABLE_PLUGINS=aaa_{what}" in caplog.text
    assert "fine" in registry.names("critic")


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_a_broken_plugin_is_an_error_under_strict(
    install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    source, reason = BROKEN[what]
    install("acme", "2.5", {f"aaa_{what}": source})
    monkeypatch.setenv("AGENTR_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError) as caught:
        _ = Registry().plugins
    assert reason in str(caught.value) and "acme 2.5" in str(caught.value)


def test_a_half_registered_plugin_leaves_nothing_behind(install: Callable[..., Path]) -> None:
    source = (
        "from agentr_core import hookimpl, PluginSpec\n"
        "@hookimpl\ndef agentr_register_critics(): return [PluginSpec(kind='critic', name='half', target='a:B')]\n"
        "@hookimpl\ndef agentr_run_finished(event): raise AssertionError('it was taken back')\n"
        "@hookimpl\ndef agentr_register_trainers(): raise OSError('gone')\n"
    )
    install("acme", "1", {"acme_half": source})
    registry = Registry()
    assert "half" not in registry.names("critic")
    assert not registry._loaded.manager.hook.agentr_run_finished.get_hookimpls()


def test_two_plugins_of_one_entry_point_name_both_load(install: Callable[..., Path], critic_source: Source) -> None:
    install("acme-one", "1", {"one_mod": critic_source("one")}, {"shared": "one_mod"})
    install("acme-two", "1", {"two_mod": critic_source("two")}, {"shared": "two_mod"})
    assert {"one", "two"} <= set(Registry().names("critic"))


def test_a_plugin_file_is_loaded_and_its_classes_can_be_named(tmp_path: Path, critic_source: Source) -> None:
    file = tmp_path / "file_plugin_a.py"
    file.write_text(critic_source("from-file", "file_plugin_a:Mine") + "class Mine: pass\n")
    registry = Registry(files=[str(file)])
    entry = registry.entry("critic", "from-file")
    assert entry.plugin.distribution == str(file) and len(entry.plugin.version) == 12
    assert registry.entry("critic", "file_plugin_a:Mine").spec.target == "file_plugin_a:Mine"
    assert Registry(files=[str(file)]).names("critic").count("from-file") == 1


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("nowhere.py", UsageError, "there is no file 'nowhere.py'"),
        ("no_such.module", UsageError, "there is no module 'no_such.module'"),
    ],
)
def test_a_plugin_file_that_does_not_exist(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        _ = Registry(files=[name]).plugins


def test_a_broken_plugin_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "broken_plugin_file.py"
    file.write_text("import no_such_thing")
    with pytest.raises(PluginError, match=r"broken_plugin_file\.py' was not loaded: ModuleNotFoundError"):
        _ = Registry(files=[str(file)]).plugins
    assert "broken_plugin_file" not in sys.modules


def test_a_plugin_file_named_like_a_loaded_module_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "json.py"
    file.write_text("x = 1")
    with pytest.raises(PluginError, match="rename the file"):
        _ = Registry(files=[str(file)]).plugins
