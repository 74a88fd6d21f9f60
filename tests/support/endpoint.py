"""A small OpenAI-compatible server on this machine that answers from the request alone, and misbehaves on demand."""

from __future__ import annotations

import json
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Handler = BaseHTTPRequestHandler
Fault = Callable[["Endpoint", Handler, dict[str, Any]], None]
WORDS = ["inventory", "get 1 oak log", "craft 4 oak planks using 1 oak log", "get 2 stick", "get 1 moonlight"]


class Endpoint:
    """``with Endpoint(faults=[status(500)]) as server``: each POST takes the next fault, then answers are proper.

    ``bodies``, ``headers`` and ``paths`` are what the requests held. ``most``: choices that one answer has at the most.
    ``metrics``: the text of its page of that name, and ``looks`` how often it was asked for. ``root``: all else is 404.
    ``listed`` is what it says it serves, None for a server that does not say; with ``lenient`` it answers to any name;
    ``listing_fault`` goes wrong there.
    ``adapters``: what /v1/load_lora_adapter was sent, None where it has no such page.
    ``words``: the actions that it answers with.
    """

    def __init__(
        self,
        *faults: Fault,
        model: str = "stub",
        most: int = 128,
        metrics: str = "",
        root: str = "/",
        lenient: bool = False,
        words: Sequence[str] = WORDS,
    ) -> None:
        self.faults, self.model, self.most = deque(faults), model, most
        self.metrics, self.looks = metrics, 0
        self.root, self.lenient, self.words = root, lenient, words
        self.listed: list[dict[str, Any]] | None = [{"id": model, "object": "model"}]
        self.adapters: list[dict[str, Any]] | None = None
        self.listing_fault: Fault | None = None
        self.paths: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Endpoint:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """From here on connections are refused."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """A proper answer: the same to the same request."""
        count = min(body.get("n", 1), self.most)
        choices = [self._choice(body, number) for number in range(count)]
        made = sum(len(choice["token_ids"]) for choice in choices)
        usage = {"prompt_tokens": 100, "completion_tokens": made, "prompt_tokens_details": {"cached_tokens": 40}}
        return {"id": "1", "object": "chat.completion", "model": self.model, "choices": choices, "usage": usage}

    def load(self, handler: Handler, body: dict[str, Any]) -> None:
        """Take an adapter, as vLLM does where it is allowed to."""
        if self.adapters is None or self.listed is None:
            return send(handler, 404, {"detail": "Not Found"})
        self.adapters.append(body)
        self.listed.append({"id": body["lora_name"], "root": body["lora_path"], "parent": self.model})
        return send(handler, 200, f"Success: LoRA adapter '{body['lora_name']}' added successfully.")

    def _choice(self, body: dict[str, Any], number: int) -> dict[str, Any]:
        drawn = (body.get("seed"), number) if body.get("temperature", 1) > 0 else ()
        key = json.dumps([body.get("messages", body.get("prompt")), drawn])
        rng = random.Random(blake2b(key.encode(), digest_size=8).digest())
        words = f"Thought: {rng.randrange(10**6)} it is.\nAction: {rng.choice(self.words)}".split(" ")[
            : body.get("max_tokens")
        ]
        text = " ".join(words)
        for stop in body.get("stop", ()):
            text = text.partition(stop)[0]
        ids = list(range(len(words)))
        choice: dict[str, Any] = {"index": number, "finish_reason": "stop", "token_ids": ids}
        if "prompt" in body:
            return choice | {"text": text, "logprobs": {"token_logprobs": [-0.5] * len(ids)}}
        logprobs = {"content": [{"token": "x", "logprob": -0.5} for _ in ids]}
        return choice | {"message": {"role": "assistant", "content": text}, "logprobs": logprobs}

    def _handler(endpoint) -> type[Handler]:
        class One(Handler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/metrics":
                    endpoint.looks += 1
                    return send(self, 200 if endpoint.metrics else 404, endpoint.metrics)
                if endpoint.listing_fault is not None:
                    return endpoint.listing_fault(endpoint, self, {})
                if endpoint.listed is None or not self.path.startswith(endpoint.root):
                    return send(self, 404, {"detail": "Not Found"})
                return send(self, 200, {"object": "list", "data": endpoint.listed})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/load_lora_adapter"):
                    return endpoint.load(self, body)
                endpoint.paths.append(self.path)
                endpoint.bodies.append(body)
                endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
                if endpoint.faults:
                    return endpoint.faults.popleft()(endpoint, self, body)
                if not self.path.startswith(endpoint.root):
                    return send(self, 404, {"detail": "Not Found"})
                if body["model"] != endpoint.model and not endpoint.lenient:
                    return send(self, 404, {"error": {"message": f"The model {body['model']} does not exist."}})
                return send(self, 200, endpoint.answer(body))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return One


def send(handler: Handler, code: int, body: Any, **headers: str) -> None:
    """A whole response; ``body`` is made JSON unless it is text."""
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    handler.send_response(code)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def status(code: int, message: Any = "no luck", **headers: str) -> Fault:
    """An error response."""
    return lambda endpoint, handler, body: send(handler, code, {"error": {"message": message}}, **headers)


def says(body: Any) -> Fault:
    """A response of 200 with any body."""
    return lambda endpoint, handler, _: send(handler, 200, body)


def echo_key(endpoint: Endpoint, handler: Handler, body: dict[str, Any]) -> None:
    """An error that repeats the key."""
    send(handler, 418, {"error": {"message": f"what is {handler.headers['Authorization']}?"}})


def cut(endpoint: Endpoint, handler: Handler, body: dict[str, Any]) -> None:
    """The first half of a proper answer, and the connection is gone."""
    content = json.dumps(endpoint.answer(body)).encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def hang_up(endpoint: Endpoint, handler: Handler, body: dict[str, Any]) -> None:
    """Not a byte, and the connection is gone."""
    handler.close_connection = True


def dribble(endpoint: Endpoint, handler: Handler, body: dict[str, Any]) -> None:
    """A space now and then, and never an answer, until nobody listens."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.close_connection = True
    try:
        while not endpoint.released.wait(0.02):
            handler.wfile.write(b" ")
    except OSError:
        pass
