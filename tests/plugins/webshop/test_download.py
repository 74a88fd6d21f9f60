"""``agentr data get webshop`` against a real server that drops, truncates, corrupts and refuses."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from agentr_webshop import download, generator, remote
from agentr_webshop.catalogue import load_catalogue
from agentr_webshop.download import RemoteFile

from agentr_core.cli.main import main
from agentr_core.registry.lookup import Registry, use

SHUFFLE = "items_shuffle_1000.json"


@dataclass
class Shop:
    """The server's files and faults. ``requests``: (path, Range header) as they came."""

    url: str
    files: dict[str, bytes]
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    ranges: bool = True
    #: By path: how many bytes are sent before the connection is closed, one for each request until none is left.
    drops: dict[str, list[int]] = field(default_factory=dict)
    #: By path: a status answered instead.
    statuses: dict[str, list[int]] = field(default_factory=dict)
    page: bytes | None = None
    page_type: str = ""
    announce: bool = True


def handler_for(shop: Shop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            name, wanted = self.path.lstrip("/"), self.headers.get("Range")
            shop.requests.append((name, wanted))
            if shop.statuses.get(name):
                return self.answer(shop.statuses[name].pop(0), b"", {})
            if shop.page is not None:
                return self.answer(200, shop.page, {"Content-Type": shop.page_type})
            if name not in shop.files:
                return self.answer(404, b"", {})
            body = shop.files[name]
            match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
            if not (match and shop.ranges):
                return self.answer(200, body, {}, name)
            start = int(match[1])
            if start >= len(body):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            extent = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            return self.answer(206, body[start:], extent, name)

        def answer(self, status: int, body: bytes, headers: dict[str, str], name: str = "") -> None:
            self.send_response(status)
            if shop.announce:
                self.send_header("Content-Length", str(len(body)))
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            drops = shop.drops.get(name)
            self.wfile.write(body[: drops.pop(0)] if drops else body)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A server with the small set of a generated catalogue, whose sizes are the ones expected."""
    products, entries, human = generator.files(60, 7)
    contents = {"items_ins_v2_1000.json": entries, SHUFFLE: products, "items_human_ins.json": human}
    files = {name: json.dumps(value).encode() for name, value in contents.items()}
    monkeypatch.setattr(remote, "PAUSE", 0.0)
    expected = tuple(RemoteFile(name, len(body)) for name, body in files.items())
    monkeypatch.setattr(download, "SETS", {"small": expected, "full": tuple(RemoteFile(f.name) for f in expected)})
    shop = Shop("", files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(shop))
    shop.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield shop
    server.shutdown()
    server.server_close()
    thread.join()


class Get:
    """Runs the command; ``out`` and ``err`` are what the user saw last."""

    def __init__(self, capsys: pytest.CaptureFixture[str], url: str, to: Path) -> None:
        self.capsys, self.url, self.to = capsys, url, to
        self.out = self.err = ""

    def __call__(self, *args: str) -> int:
        self.capsys.readouterr()
        code = main(["data", "get", "webshop", "--from", self.url, "--to", str(self.to), *args])
        self.out, self.err = self.capsys.readouterr()
        return code

    @property
    def error(self) -> str:
        return self.err.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def registry() -> Registry:
    registry = Registry()
    if "webshop" not in registry.data():
        registry.add_file("agentr_webshop")
    return registry


@pytest.fixture
def get(shop: Shop, registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Get]:
    use(registry)
    yield Get(capsys, shop.url, tmp_path / "shop")
    use(None)


def test_the_small_set_is_fetched_and_can_be_loaded(shop: Shop, get: Get) -> None:
    assert get() == 0
    assert get.out.strip() == str(get.to)
    assert f"-o env.data={get.to}" in get.err
    assert {path.name for path in get.to.iterdir()} == {*shop.files, "manifest.json", ".lock"}
    assert load_catalogue(str(get.to)).products == load_catalogue(size=60, seed=7).products


def test_what_is_there_is_not_fetched_again(shop: Shop, get: Get) -> None:
    assert get() == 0
    shop.requests.clear()
    assert get() == 0
    assert shop.requests == []
    assert "everything is there, as it was first fetched" in get.err


def test_a_dropped_connection_is_taken_up_where_it_broke(shop: Shop, get: Get) -> None:
    shop.drops[SHUFFLE] = [1000, 500]
    assert get() == 0
    assert [wanted for name, wanted in shop.requests if name == SHUFFLE] == [None, "bytes=1000-", "bytes=1500-"]
    assert (get.to / SHUFFLE).read_bytes() == shop.files[SHUFFLE]


def test_a_download_that_was_given_up_goes_on_later(shop: Shop, get: Get) -> None:
    shop.drops[SHUFFLE] = [1000, 0, 0, 0]
    assert get() == 1
    assert get.error == (
        f"error: the connection to {shop.url[7:]} broke off 3 times at byte 1,000 of '{SHUFFLE}' "
        "(it sent less than it had announced); run the command again to go on from there"
    )
    assert not (get.to / SHUFFLE).exists()
    shop.requests.clear()
    assert get() == 0
    assert shop.requests[0] == (SHUFFLE, "bytes=1000-")
    assert (get.to / SHUFFLE).read_bytes() == shop.files[SHUFFLE]


def test_a_server_that_ignores_ranges_sends_all_of_it_again(shop: Shop, get: Get) -> None:
    shop.ranges, shop.drops[SHUFFLE] = False, [1000]
    assert get() == 0
    assert (get.to / SHUFFLE).read_bytes() == shop.files[SHUFFLE]


def test_a_part_that_is_already_whole_is_kept(shop: Shop, get: Get) -> None:
    get.to.mkdir()
    (get.to / f"{SHUFFLE}.part").write_bytes(shop.files[SHUFFLE])
    assert get() == 0
    assert (SHUFFLE, f"bytes={len(shop.files[SHUFFLE])}-") in shop.requests
    assert (get.to / SHUFFLE).read_bytes() == shop.files[SHUFFLE]


def test_a_part_that_is_too_long_is_thrown_away(shop: Shop, get: Get) -> None:
    get.to.mkdir()
    (get.to / f"{SHUFFLE}.part").write_bytes(shop.files[SHUFFLE] + b"more")
    assert get() == 0
    assert (get.to / SHUFFLE).read_bytes() == shop.files[SHUFFLE]


def test_a_part_of_another_file_is_noticed(shop: Shop, get: Get) -> None:
    get.to.mkdir()
    (get.to / f"{SHUFFLE}.part").write_bytes(b"x" * 100)
    assert get() == 1
    assert get.error.startswith(f"error: '{SHUFFLE}' came damaged from {shop.url}/{SHUFFLE}: ")
    assert get() == 0


def test_a_truncated_file_is_refused(shop: Shop, get: Get) -> None:
    whole = len(shop.files[SHUFFLE])
    shop.files[SHUFFLE] = shop.files[SHUFFLE][:-100]
    assert get() == 1
    assert get.error == (
        f"error: '{SHUFFLE}' has {whole - 100:,} bytes on {shop.url[7:]}, expected {whole:,}: it is another file; "
        "give another server with --from"
    )


@pytest.mark.parametrize("size", ["small", "full"])
def test_a_truncated_file_of_unannounced_length_is_refused(shop: Shop, get: Get, size: str) -> None:
    shop.announce, shop.files[SHUFFLE] = False, shop.files[SHUFFLE][:-100]
    assert get("--size", size) == 1
    assert "came damaged" in get.err or "broke off 3 times" in get.err
    assert not (get.to / SHUFFLE).exists()


def test_a_corrupted_file_is_refused_and_thrown_away(shop: Shop, get: Get) -> None:
    body = shop.files[SHUFFLE]
    shop.files[SHUFFLE] = body[:500] + b"\xff" * 10 + body[510:]
    assert get() == 1
    assert "came damaged" in get.error and "cut off or is no JSON" in get.error
    assert not list(get.to.glob(f"{SHUFFLE}*"))


def test_a_file_that_has_changed_since_is_refused(shop: Shop, get: Get) -> None:
    assert get() == 0
    (get.to / SHUFFLE).write_bytes(b"[]")
    shop.files[SHUFFLE] = shop.files[SHUFFLE].replace(b"G0", b"H0")
    assert get() == 1
    assert get.error.startswith(f"error: '{SHUFFLE}' is not what it was when it was first fetched (its sha256 differs)")
    (get.to / "manifest.json").unlink()
    assert get() == 0


def test_a_file_that_was_damaged_here_is_fetched_again(shop: Shop, get: Get) -> None:
    assert get() == 0
    (get.to / SHUFFLE).write_bytes(b"[]")
    assert get() == 0
    assert (get.to / SHUFFLE).read_bytes() == shop.files[SHUFFLE]


@pytest.mark.parametrize(
    ("status", "said"), [(401, "wants a login"), (403, "refuses"), (404, "does not have"), (429, "limits")]
)
def test_refusals(shop: Shop, get: Get, status: int, said: str) -> None:
    shop.statuses["items_ins_v2_1000.json"] = [status]
    assert get() == 1
    assert get.error == (
        f"error: {shop.url[7:]} {said} {shop.url}/items_ins_v2_1000.json (HTTP {status}); "
        "try again later, or give another server with --from"
    )


def test_a_busy_server_is_asked_again(shop: Shop, get: Get) -> None:
    shop.statuses[SHUFFLE] = [503, 500]
    assert get() == 0


@pytest.mark.parametrize(("size", "kind"), [("small", "text/html"), ("full", "text/html"), ("full", "text/plain")])
def test_a_web_page_is_no_file(shop: Shop, get: Get, size: str, kind: str) -> None:
    shop.page, shop.page_type = b"\n<!DOCTYPE html><title>Quota exceeded</title>", kind
    assert get("--size", size) == 1
    assert "answered with a web page instead of 'items_ins_v2_1000.json'" in get.error
    assert "download limit is reached" in get.error


def test_a_tag_in_the_middle_of_a_file_is_no_web_page(shop: Shop, get: Get) -> None:
    shop.files[SHUFFLE] = b'["' + b"<" * 600_000 + b'"]'
    assert get("--size", "full") == 0
    assert (get.to / SHUFFLE).read_bytes() == shop.files[SHUFFLE]


def test_a_server_that_is_not_there(get: Get) -> None:
    get.url = "http://127.0.0.1:1"
    assert get() == 1
    assert get.error.startswith("error: 127.0.0.1:1 cannot be reached (")
    assert get.error.endswith("check the network, or give another server with --from")


def test_an_address_that_is_none(get: Get) -> None:
    get.url = "nowhere"
    assert get() == 2
    assert get.error.startswith("error: --from: unknown url type")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk(get: Get) -> None:
    get.to.mkdir()
    (get.to / f"{SHUFFLE}.part").symlink_to("/dev/full")
    assert get() == 1
    assert get.error == (
        f"error: the disk is full: '{get.to}' has no room for '{SHUFFLE}'; "
        "make room, or choose another folder with --to"
    )


def test_a_folder_that_is_a_file(get: Get) -> None:
    get.to.write_text("")
    assert get() == 2
    assert get.error == f"error: '{get.to}' cannot be used: File exists; choose a folder with --to"


def test_data_sets_are_listed(get: Get, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "--json"]) == 0
    assert "webshop" in [row["name"] for row in json.loads(capsys.readouterr().out)]


def test_an_unknown_data_set(get: Get, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "get", "webshoop"]) == 2
    assert "no data set is called 'webshoop'; there are: webshop" in capsys.readouterr().err


def test_the_public_files_are_where_they_should_be() -> None:
    places = {file.name: file.url(None) for size in ("small", "full") for file in download.SETS[size]}
    assert places["items_shuffle_1000.json"].startswith("https://huggingface.co/datasets/")
    assert places["items_shuffle.json"].startswith("https://drive.usercontent.google.com/download?")
    assert RemoteFile("a.json", drive="x").url("http://here/") == "http://here/a.json"
