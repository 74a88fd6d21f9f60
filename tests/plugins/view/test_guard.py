"""Who is let in, and what an address can do: nothing but ask."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from agentr_view.app import PAGES
from agentr_view.guard import HEADERS, Keys
from viewing import HOSTILE, Viewed, Visitor, address, entered

from agentr_core import Store

EVERYWHERE = ["/", "/api/runs", "/api/state", "/api/events", "/api/none", "/index.html", *PAGES]


@pytest.mark.parametrize("place", EVERYWHERE)
def test_without_the_link_nothing_is_shown(viewed: Viewed, place: str) -> None:
    for token in ("", "?token=", "?token=wrong", f"?token={'x' * 43}"):
        answer = Visitor(viewed.port).ask(place + token)
        assert answer.status == 401 and "open the link" in answer.json["error"]
        assert "set-cookie" not in answer.headers


def test_the_token_buys_a_cookie_and_leaves_the_address(viewed_db: Path) -> None:
    with Viewed(viewed_db) as viewed:
        visitor = Visitor(viewed.port)
        answer = visitor.enter(viewed.token)
        assert (answer.status, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert viewed.token not in cookie
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert visitor.ask("/api/runs").status == 200


def test_each_link_is_good_for_one_browser(viewed_db: Path) -> None:
    with Viewed(viewed_db) as viewed:
        mine = Visitor(viewed.port)
        mine.enter(viewed.token)
        assert Visitor(viewed.port).enter(viewed.token).status == 401
        assert mine.ask(f"/?token={viewed.token}").status == 303  # opened again by who is in already
        assert len(viewed.renewed) == 1 and len(viewed.renewed[0]) == 43
        assert Visitor(viewed.port).enter(viewed.renewed[0]).status == 303


def test_a_token_is_256_bits_and_never_the_same() -> None:
    one, other = list[str](), list[str]()
    for key in (Keys("first", one.append), Keys("first", other.append)):
        assert key.spend("first") and key.spend("first") is None
    assert one != other and len(base64.urlsafe_b64decode(f"{one[0]}=")) == 32


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "localhost", "127.0.0.1:1", "localhost.evil.example:{port}", "127.0.0.1:{port}.", ""],
)
def test_a_foreign_host_is_refused(viewed: Viewed, visitor: Visitor, host: str) -> None:
    answer = visitor.ask("/api/runs", headers={"Host": host.format(port=viewed.port)})
    assert answer.status in (400, 403) and b"items" not in answer.body


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LOCALHOST:{port}"])
def test_its_own_names_are_taken(viewed: Viewed, visitor: Visitor, host: str) -> None:
    assert visitor.ask("/api/runs", headers={"Host": host.format(port=viewed.port)}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_pages_of_other_sites_are_refused(visitor: Visitor, headers: dict[str, str]) -> None:
    answer = visitor.ask("/api/runs", headers=headers)
    assert answer.status == 403 and "another site" in answer.json["error"]


def test_its_own_page_may_ask(viewed: Viewed, visitor: Visitor) -> None:
    own = {"Origin": f"http://127.0.0.1:{viewed.port}", "Sec-Fetch-Site": "same-origin"}
    assert visitor.ask("/api/runs", headers=own).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_but_reading_is_answered(visitor: Visitor, method: str) -> None:
    answer = visitor.ask("/api/runs", method=method)
    assert answer.status == 405 and not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_has_the_headers(viewed: Viewed, visitor: Visitor) -> None:
    for answer in (visitor.ask("/"), visitor.ask("/api/runs"), visitor.ask("/none"), Visitor(viewed.port).ask("/")):
        for name, value in HEADERS.items():
            assert answer.headers[name.lower()] == value
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'") and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy and "connect-src 'self'" in policy
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_policy_lets_in_the_import_map_and_no_other_inline_script(visitor: Visitor) -> None:
    page = visitor.ask("/").body
    scripts = re.findall(rb"<script\b([^>]*)>(.*?)</script>", page, re.DOTALL)
    inline = [body for attributes, body in scripts if b"src=" not in attributes]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(body).digest()).decode()}'" for body in inline]
    policy = visitor.ask("/").headers["content-security-policy"]
    assert re.search(r"script-src ([^;]*);", policy)[1].split() == ["'self'", *hashes]  # type: ignore[index]
    assert "sha256" not in visitor.ask("/api/runs").headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py", "/..%2fapp.py", "/%2e%2e/app.py", "/static/../app.py", "//etc/passwd", "/%2fetc/passwd",
        "/..\\app.py", "/%00", "/index.html%00.js", "/./index.html", "/vendor", "/vendor/", "/.", "/..",
        "/%252e%252e/app.py",
        "/app.py", "/index.html/", "/INDEX.HTML", "/api/../app.py", "/api/..%2f..%2fapp.py", "/C:/Windows/win.ini",
    ],
)  # fmt: skip
def test_paths_that_are_no_files_are_not_there(visitor: Visitor, path: str) -> None:
    answer = visitor.ask(path)
    assert answer.status == 404 and answer.json == {"error": "there is no such page"}


@pytest.mark.parametrize("text", HOSTILE)
def test_what_an_address_says_is_never_sql(visitor: Visitor, store: Store, text: str) -> None:
    before = store.connection.counts()
    said = quote(text.encode("utf-8", "surrogatepass"))
    texts = ["runs?q=", "trees?q=", "search?q=", "trees?env=", "datasets/1/items?kind="]
    for place in texts:
        answer = visitor.ask(f"/api/{place}{said}")
        assert answer.status == 200 and answer.json["items"] == [], (place, answer.body)
    for place in (
        "trees?sort=",
        "trees?outcome=",
        "trees?cursor=",
        "trees?iteration=",
        "runs?limit=",
        "revisions?kept=",
    ):
        answer = visitor.ask(f"/api/{place}{said}")
        assert answer.status == 400 and len(answer.json["error"]) < 200, (place, answer.body)
    for place in ("runs/{}", "trees/{}", "trees/1/nodes/{}", "evals/{}/results", "datasets/{}"):
        assert visitor.ask(f"/api/{place.format(said)}").status in (400, 404)
    assert store.connection.counts() == before


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("runs?limit=0", "limit: a number from 1 to 200, not 0"),
        ("runs?limit=201", "limit: a number from 1 to 200, not 201"),
        ("runs?limit=1e3", "limit: a whole number, not '1e3'"),
        ("runs?limit=\u0661", "limit: a whole number"),
        ("runs?nonsense=1", "there is no parameter 'nonsense' here"),
        ("runs?q=a&q=b", "the parameter 'q' is given twice; give it once"),
        ("runs?q=" + "x" * 201, "q: at most 200 characters, not 201"),
        ("runs?cursor=[1,2]", "cursor: must be the 'next' of the page before"),
        ('runs?cursor=["1"]', "cursor: must be the 'next' of the page before"),
        ("runs?cursor=[true]", "cursor: must be the 'next' of the page before"),
        ("runs?cursor=[[1]]", "cursor: must be the 'next' of the page before"),
        ("trees?sort=id;drop", "sort: one of id, -id"),
        ("trees/1/marks", "set: the number of a revision set is missing"),
        ("compare", "runs: from 1 to 20 runs as A,B, not 0"),
        ("search?q=depth>x", "depth>: a number follows, not 'x'"),
        ("events?wait=1", "wait: one of 0, not '1'"),
    ],
)
def test_a_wrong_parameter_is_one_sentence(visitor: Visitor, place: str, told: str) -> None:
    answer = visitor.ask(f"/api/{quote(place, safe='?=&/')}")
    assert answer.status == 400 and told in answer.json["error"]


def test_what_is_not_there_is_one_sentence(visitor: Visitor) -> None:
    for place in (
        "runs/none",
        "trees/99999",
        "trees/1/nodes/99999",
        "evals/99/results",
        "datasets/99",
        "episodes/1/9/9",
    ):
        answer = visitor.ask(address(place))
        assert answer.status == 404 and answer.json["error"], place


def test_hostile_text_arrives_as_it_was_stored(visitor: Visitor) -> None:
    dataset = visitor.get("datasets")["items"][-1]
    item = visitor.get(f"datasets/{dataset['id']}/items")["items"][0]
    assert dataset["name"] == HOSTILE[0]
    assert tuple(turn["text"] for turn in item["turns"]) == HOSTILE
    raw = visitor.ask(f"/api/datasets/{dataset['id']}/items").body
    assert raw.isascii()


def test_below_a_proxys_path_it_finds_its_pages_and_keeps_its_cookie_there(viewed_db: Path) -> None:
    root = "/user/me/proxy/7373"
    with Viewed(viewed_db, root_path=root, trusted=("hub.example",)) as viewed:
        visitor = Visitor(viewed.port)
        answer = visitor.enter(viewed.token)
        assert answer.headers["location"] == f"{root}/" and f"Path={root}/" in answer.headers["set-cookie"]
        hub = {"Host": "hub.example", "Origin": "https://hub.example"}
        for place in (f"{root}/api/runs", "/api/runs"):  # a proxy may take the path off, or leave it
            assert visitor.ask(place, headers=hub).status == 200


def test_reading_leaves_the_file_as_it_was(viewed_db: Path, tmp_path: Path) -> None:
    viewed_db = Path(shutil.copy(viewed_db, tmp_path))
    before = hashlib.sha256(viewed_db.read_bytes()).hexdigest()
    with Viewed(viewed_db) as viewed:
        visitor = entered(viewed)
        for page in ("runs", "runs/first", "trees", "critics", "evals"):
            visitor.get(page)
    assert hashlib.sha256(viewed_db.read_bytes()).hexdigest() == before
    assert not viewed_db.with_name(f"{viewed_db.name}-wal").exists()


def test_the_viewer_loads_no_model_library(viewed_db: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from viewing import *\n"
        f"with Viewed(Path({str(viewed_db)!r})) as viewed: print(len(entered(viewed).get('trees/1/nodes/1')))\n"
        "print([name for name in ('torch', 'transformers', 'vllm', 'numpy') if name in sys.modules])"
    )
    support = Path(__file__).parents[2] / "support"
    found = subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(support)!r})\n{code}"],
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert found.stdout.splitlines()[-1] == "[]"
