"""Plugin packages made on the spot: a module and the metadata of a distribution in a folder on the path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentr_core.registry.lookup import use

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """``install("acme", "1.0", {"acme_plugin": SOURCE})``: a distribution whose modules are all entry points."""
    monkeypatch.delenv("AGENTR_PLUGINS", raising=False)
    monkeypatch.delenv("AGENTR_DISABLE_PLUGINS", raising=False)
    monkeypatch.delenv("AGENTR_STRICT_PLUGINS", raising=False)
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    made: list[str] = []

    def make(distribution: str, version: str, modules: dict[str, str], names: dict[str, str] | None = None) -> Path:
        metadata = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        points = names or {module: module for module in modules}
        lines = [f"{name} = {module}" for name, module in points.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[agentr]", *lines, ""]))
        for module, source in modules.items():
            (site / f"{module}.py").write_text(source)
            made.append(module)
        return site

    use(None)
    yield make
    use(None)
    for module in made:
        sys.modules.pop(module, None)


def critic(name: str, target: str = "json:JSONDecoder", **fields: object) -> str:
    """The source of a plugin module that registers one critic."""
    extra = "".join(f", {key}={value!r}" for key, value in fields.items())
    return (
        "from agentr_core import PluginSpec, hookimpl\n"
        "@hookimpl\n"
        "def agentr_register_critics():\n"
        f"    return [PluginSpec(kind='critic', name={name!r}, target={target!r}{extra})]\n"
    )


@pytest.fixture
def critic_source() -> Callable[..., str]:
    return critic
