"""``python served.py --port PORT --model NAME``: serves one model that answers, from a process of its own.

``--as NAME`` lists it under that name; ``--never`` lists nothing. It holds the pipe ``--alive FIFO`` open for writing,
and so does a child that would outlive it, if nobody ended that.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOVES = ("add 1", "add 2", "double", "stop")

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--model")
parser.add_argument("--as", dest="name")
parser.add_argument("--never", action="store_true")
parser.add_argument("--alive")
told = parser.parse_args()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        entry = {"id": told.name or told.model, "root": told.model}
        self.say({"data": [] if told.never else [entry]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body.get("seed") == 666:
            os._exit(3)
        text = f"Thought: {body['model']} served from {told.model}\nAction: {MOVES[body['seed'] % 4]}"
        self.say({"choices": [{"message": {"content": text}}]})

    def say(self, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


print("loading weights", flush=True)
pipes = [os.open(told.alive, os.O_WRONLY)] if told.alive else []
subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=pipes)
ThreadingHTTPServer(("127.0.0.1", told.port), Handler).serve_forever()
