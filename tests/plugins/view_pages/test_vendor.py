"""What the pages are made of: other people's files as they were published, and ours small and by themselves."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from tools.vendor_static import LIBRARIES, STATIC, VENDOR

ENTRIES = json.loads((VENDOR / "vendor.json").read_text())
REPOSITORY = Path(__file__).resolve().parents[3]
OURS = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".html") and path.parent != VENDOR]


def test_the_list_is_what_the_tool_would_write() -> None:
    assert [(each["name"], each["package"], each["licence"]) for each in ENTRIES] == [
        (each.name, f"{each.package}@{each.version}", each.licence) for each in LIBRARIES
    ]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_each_is_as_it_was_published_and_has_its_licence(entry: dict[str, str]) -> None:
    assert hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    licence = (VENDOR / re.sub(r"\.(js|css)$", ".LICENSE", entry["file"])).read_text()
    assert {"MIT": "MIT", "ISC": "Permission to use, copy", "Apache-2.0": "Apache License"}[entry["licence"]] in licence


def test_their_types_are_those_of_the_same_versions() -> None:
    checked = json.loads((REPOSITORY / "tools/viewer_types/package.json").read_text())["devDependencies"]
    vendored = dict(each["package"].rsplit("@", 1) for each in ENTRIES)
    same = {"preact", "@preact/signals", "htm", "uplot"}  # d3-hierarchy's are a package of their own
    assert {name: checked[name] for name in same} == {name: vendored[name] for name in same}


def test_nothing_else_lies_there() -> None:
    names = {entry["file"] for entry in ENTRIES}
    licences = {re.sub(r"\.(js|css)$", ".LICENSE", name) for name in names}
    assert {path.name for path in VENDOR.iterdir()} == names | licences | {"vendor.json"}


def test_the_page_takes_its_libraries_from_there() -> None:
    page = (STATIC / "index.html").read_text()
    found = re.search(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    modules = {entry["name"]: f"./vendor/{entry['file']}" for entry in ENTRIES if entry["file"].endswith(".js")}
    assert json.loads(found[1])["imports"] == modules
    assert all(f'href="vendor/{entry["file"]}"' in page for entry in ENTRIES if entry["file"].endswith(".css"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_our_files_are_short_and_ask_nobody_and_make_no_markup(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    assert text.count("\n") < 350
    assert not re.search(r"https?://|//# sourceMapping", text)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|dangerouslySet|document\.write|\beval\(|new Function", text
    )


def test_all_of_it_is_small() -> None:
    packed = sum(len(gzip.compress(path.read_bytes())) for path in STATIC.rglob("*") if path.is_file())
    assert packed < 300_000
