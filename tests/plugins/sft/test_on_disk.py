"""A model is in its place only once all of it is on disk: a power cut leaves it whole, or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("trl")

FDS = Path("/proc/self/fd")


@pytest.mark.skipif(not FDS.exists(), reason="which file a descriptor is, is read from /proc")
def test_all_files_are_on_disk_before_the_model_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentr_training.model import put_in_place

    made, place = tmp_path / "making", tmp_path / "out" / "model"
    (made / "nested").mkdir(parents=True)
    place.parent.mkdir()
    for name in ("model.safetensors", "config.json", "nested/adapter.json"):
        (made / name).write_text("{}")
    before, after, fsync = list[str](), list[str](), os.fsync

    def noted(descriptor: int) -> None:
        (after if place.exists() else before).append(str((FDS / str(descriptor)).readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    put_in_place(made, place)
    files = [made / name for name in ("model.safetensors", "config.json", "nested/adapter.json")]
    assert {*map(str, files), str(made / "nested"), str(made)} == set(before)
    assert before.index(str(made / "nested")) > before.index(str(files[2])) and before[-1] == str(made)
    assert after == [str(place.parent)], "the folder that holds the new name"
    assert (place / "nested" / "adapter.json").read_text() == "{}" and not made.exists()
