"""Where what can be made again is kept, for users with and without a home."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentr_core import UsageError, cache_folder
from agentr_core.process import cache_folder as module

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a user without a home is one of POSIX")


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The temporary folder of a user whom the system does not know, as in a container started with any number."""
    import pwd

    def unknown(_: int) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "AGENTR_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    module._temporary_folder.cache_clear()
    yield tmp_path
    module._temporary_folder.cache_clear()


def test_without_a_home_it_is_a_temporary_folder_and_a_warning(nobody: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="agentr"):
        assert cache_folder() == cache_folder() == nobody / f"agentr-{os.getuid()}"
    assert [record.levelname for record in caplog.records] == ["WARNING"] and "AGENTR_CACHE" in caplog.text
    assert cache_folder().stat().st_mode & 0o077 == 0


def test_a_temporary_folder_of_another_user_is_not_used(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.getuid()
    (nobody / f"agentr-{user + 1}").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.raises(UsageError, match="is another user's; set AGENTR_CACHE"):
        cache_folder()


def test_tiny_needs_no_cache(nobody: Path) -> None:
    models = pytest.importorskip("agentr_transformers.models")
    if not (models.TINY / "config.json").is_file():
        pytest.skip("the model 'tiny' is not in this tree")
    assert models.tiny() == models.TINY
    assert not list(nobody.iterdir())
