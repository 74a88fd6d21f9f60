"""``agentr view`` as it is typed."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
from agentr_view import command, listening
from click.testing import CliRunner, Result
from scripted_runs import environment
from viewing import Visitor


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(command.view, arguments)


@pytest.mark.parametrize("reference", [None, "first"])
def test_it_prints_a_link_that_opens(viewed_db: Path, reference: str | None) -> None:
    words = [sys.executable, "-m", "agentr_core", "view", *([reference] if reference else []), "--db", str(viewed_db)]
    running = subprocess.Popen(
        [*words, "--port", "0", "--no-browser"], env=environment(DISPLAY="", SSH_CONNECTION="a b"),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert running.stderr is not None
        told = "".join(running.stderr.readline() for _ in range(5))
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]{43})(#/run/\w{26})?\n", told)
        assert found is not None, told
        assert (found[3] is None) == (reference is None)
        assert f"ssh -L {found[1]}:127.0.0.1:{found[1]}" in told
        visitor = Visitor(int(found[1]))
        assert visitor.enter(found[2]).status == 303
        assert visitor.get("state")["database"] == "agentr.db"
        renewed = running.stderr.readline()
        assert "for another browser" in renewed and found[2] not in renewed
        stream = visitor.send("/api/events").getresponse()
        assert stream.readline() == b"retry: 2000\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=60) == 0
        assert running.stderr.read() == ""  # an open page is no reason to complain
    finally:
        running.kill()
        running.wait()


def test_a_missing_package_names_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = util.find_spec
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "uvicorn" else plain(name))
    result = typed()
    assert "pip install 'agentr-core[view]'" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "0.0.0.0"], "--trusted-host NAME:PORT"),
        (["--root-path", "view"], "must begin with '/' and not end in one"),
        (["--root-path", "/view/"], "must begin with '/' and not end in one"),
        (["--db", "none.db"], "there is no database at none.db"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments: list[str], told: str) -> None:
    assert told in str(typed(*arguments).exception)


def test_a_run_that_is_not_there_is_said_before_anything_listens(viewed_db: Path) -> None:
    assert "no run is called 'none'" in str(typed("none", "--db", str(viewed_db)).exception)


def test_ports_are_tried_in_turn() -> None:
    taken = listening.bound("127.0.0.1", None)
    port = taken.getsockname()[1]
    other = listening.bound("127.0.0.1", None)
    try:
        assert port in listening.PORTS and other.getsockname()[1] in listening.PORTS
        assert other.getsockname()[1] > port
        with pytest.raises(Exception, match=f"cannot listen at 127.0.0.1, port {port} .*another --port"):
            listening.bound("127.0.0.1", port)
    finally:
        taken.close()
        other.close()


def test_where_no_browser_would_be_seen_none_is_opened() -> None:
    assert listening.has_browser({"DISPLAY": ":0"}, "linux")
    assert listening.has_browser({}, "darwin")
    assert not listening.has_browser({}, "linux")
    assert not listening.has_browser({"DISPLAY": ":0", "SSH_CONNECTION": "a"}, "linux")


def test_links_name_what_browsers_call_it() -> None:
    assert listening.link("127.0.0.1", 7373, "t") == "http://127.0.0.1:7373/?token=t"
    assert listening.link("::1", 7373, "t", root_path="/p") == "http://[::1]:7373/p/?token=t"
    assert listening.link("0.0.0.0", 7373, "t", trusted=["box:7373"]) == "http://box:7373/?token=t"


def test_it_stands_in_the_help_and_loads_nothing_for_it() -> None:
    assert "Look at runs" in CliRunner().invoke(command.view, ["--help"]).output
    code = "import sys, agentr_view; print([n for n in ('starlette', 'uvicorn', 'sqlite3') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_ipv6_is_listened_at_where_there_is_any() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    with listening.bound("::1", 0) as listener:
        assert listener.getsockname()[0] == "::1"
