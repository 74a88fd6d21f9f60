"""A model of the hub that cannot be fetched: a hub that is busy, or refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from scripted_runs import environment

MODELS = ("busy/model", "closed/model")
#: What the hub's client waits between its tries is left out.
PROGRAM = """
import contextlib, io, json, sys, time
time.sleep = lambda seconds: None
from agentr_core.cli.main import main
said = {}
for model in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        print(f"== {model}", file=sys.stderr, flush=True)
        code = main(["doctor", "--env", "textcraft", "-o", "textcraft.world=synthetic", "--model", model])
    said[model] = [code, out.getvalue()]
print(json.dumps(said))
"""


class Hub(BaseHTTPRequestHandler):
    """Answers by the name of the model's owner."""

    def do_GET(self) -> None:
        self.send_response(503 if self.path.startswith("/busy") else 403)
        if self.path.startswith("/closed"):
            self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def hub() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.model
def test_a_hub_that_does_not_give_the_model_is_a_line_and_a_sentence(hub: str, tmp_path: Path) -> None:
    there = environment(HF_ENDPOINT=hub, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0")
    words = [sys.executable, "-c", PROGRAM, json.dumps(MODELS)]
    done = subprocess.run(words, cwd=tmp_path, env=there, capture_output=True, text=True, check=True)
    told = {part.splitlines()[0]: part.splitlines()[1:] for part in done.stderr.split("== ")[1:]}
    waits = {model: [line for line in lines if "does not answer" in line] for model, lines in told.items()}
    address = f"HEAD {hub}/busy/model/resolve/main/config.json"
    assert waits["busy/model"] == [f"the model hub does not answer ({address}: HTTP Error 503); trying again"]
    assert waits["closed/model"] == []
    assert "Retrying" not in done.stderr and "Traceback" not in done.stderr
    for model, (code, out) in json.loads(done.stdout).items():
        assert code != 0 and f"'{model}' is no folder here and cannot be loaded from the hub (" in out
