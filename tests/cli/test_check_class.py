"""``agentr plugins check module:Class``: what a run takes without packaging can be checked without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentr_core.cli.main import main
from agentr_core.registry.lookup import use

CRITIC = '''
from agentr_core import Critic, Cut, PluginConfig

class Late(Critic[PluginConfig]):
    """Cuts at the end."""
    config_class = PluginConfig
    async def judge(self, bad, good, context):
        return Cut(step=len(bad.steps))

class Nothing:
    pass
'''


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "lately.py").write_text(CRITIC)
    (tmp_path / "shattered.py").write_text("import no_such_package\n")
    use(None)
    yield
    use(None)


def test_a_class_is_checked_as_what_it_derives_from(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["plugins", "check", "lately:Late"])
    out = capsys.readouterr().out
    assert "ok      spec: its target is of its kind (Late)" in out and "critic: " in out
    assert code == 0, out
    assert main(["plugins", "show", "lately:Late"]) == 0


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("nomod:Foo", 2, "no plugin is called 'nomod:Foo', and no module 'nomod' can be imported"),
        ("lately:Foo", 4, "there is no 'Foo' in lately"),
        ("lately:Nothing", 4, "'lately:Nothing' is no plugin: it derives from none of"),
        ("shattered:Foo", 4, "no_such_package"),
    ],
)
def test_what_is_none_is_one_sentence(capsys: pytest.CaptureFixture[str], name: str, code: int, said: str) -> None:
    assert main(["plugins", "check", name]) == code
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err
