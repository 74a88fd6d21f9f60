"""Many sessions at ``agentr serve``: requests a second, how long one takes, and whether memory stays flat.

    python benchmarks/serve.py
    python benchmarks/serve.py --sessions 2000 --seconds 600 --env webshop

The server is a process of its own, as the command starts it. Clients in two other processes each play short episodes of
fixed actions, one request after the other, at so many sessions at once; an episode that ends begins anew in the same
session, and every tenth time in a new one. "MB" is the server's resident memory, "CPU ms each" what the server itself
computed for a request: other programs on the machine change the rates, and not that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROCESSES = 2
COLUMNS = (
    "env", "sessions", "s", "requests", "requests/s", "CPU ms each", "mean ms", "slowest ms", "MB before",
    "MB in quarters", "errors",
)  # fmt: skip
#: Names of fields: of a session, of a task.
FIELDS = {"webshop": ("env_idx", "session_id")}
#: The actions, again and again.
ACTIONS = {"textcraft": ["inventory", "get 1 moonlight"], "webshop": ["search[red shoe]", "click[next >]"]}


@dataclass
class Played:
    """What the clients of one process did."""

    requests: int = 0
    episodes: int = 0
    failed: int = 0
    slowest: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Client:
    """One session: HTTP/1.1 by hand over one connection, so that the client costs little beside the server."""

    def __init__(self, host: str, port: int, played: Played) -> None:
        self._host, self._port, self._played = host, port, played

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def post(self, path: str, body: Any) -> Any:
        sent = json.dumps(body).encode()
        began = time.perf_counter()
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(sent)}\r\n\r\n"
        self._writer.write(head.encode() + sent)
        status = await self._reader.readuntil(b"\r\n\r\n")
        length = next(line for line in status.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        said = json.loads(await self._reader.readexactly(int(length.split(b":")[1])))
        took = time.perf_counter() - began
        self._played.requests += 1
        self._played.seconds += took
        if not self._played.slowest or took > self._played.slowest[0]:
            self._played.slowest = sorted([*self._played.slowest, took])[-20:]
        self._played.failed += isinstance(said, dict) and "error" in said
        return said


async def play(url: str, env: str, sessions: int, until: float) -> Played:
    played, (id_field, index_field) = Played(), FIELDS.get(env, ("id", "data_idx"))
    parts = urlsplit(url)

    async def one(number: int) -> None:
        client = Client(str(parts.hostname), int(parts.port or 80), played)
        await client.open()
        session = None
        while time.time() < until:
            if session is None:
                said = await client.post("/create", {})
                session = said["id"] if isinstance(said, dict) else said
            await client.post("/reset", {id_field: session, index_field: (number + played.episodes) % 20})
            for _ in range(5):
                for action in ACTIONS.get(env, ["look"]):
                    await client.post("/step", {id_field: session, "action": action})
            played.episodes += 1
            if played.episodes % 10 == 0:
                await client.post("/close", {id_field: session})
                session = None
        if session is not None:
            await client.post("/close", {id_field: session})

    await asyncio.gather(*(one(number) for number in range(sessions)))
    return played


def client(url: str, env: str, sessions: int, until: float, pipe: Any) -> None:
    pipe.send(asyncio.run(play(url, env, sessions, until)))


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors: other programs' share does not count."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(env: str, options: list[str]) -> tuple[subprocess.Popen[str], str]:
    flags = [part for option in options for part in ("-o", option)]
    server = subprocess.Popen(
        [sys.executable, "-m", "agentr_core", "serve", "--env", env, *flags, "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    line = server.stderr.readline()
    assert "http://" in line, line + server.stderr.read()
    return server, line[line.index("http://") :].split()[0]


def measure(env: str, options: list[str], sessions: int, seconds: float) -> None:
    server, url = start(env, options)
    try:
        asyncio.run(play(url, env, 1, time.time() + 1.0))  # the world is loaded before the clock runs
        before, worked, began = memory_mb(server.pid), cpu_seconds(server.pid), time.time()
        until = began + seconds
        pipes, share = [], max(1, sessions // PROCESSES)
        for _ in range(min(PROCESSES, sessions)):
            mine, theirs = multiprocessing.Pipe()
            multiprocessing.Process(target=client, args=(url, env, share, until, theirs), daemon=True).start()
            pipes.append(mine)
        readings = []
        for part in range(1, 5):
            time.sleep(max(0.0, began + seconds * part / 4 - time.time()))
            readings.append(memory_mb(server.pid))
        found = [pipe.recv() for pipe in pipes]
        took, worked = time.time() - began, cpu_seconds(server.pid) - worked
    finally:
        server.terminate()
        told = server.communicate()[1].strip().splitlines()
    requests = sum(played.requests for played in found)
    mean = 1000 * sum(played.seconds for played in found) / max(1, requests)
    slowest = 1000 * max(played.slowest[-1] for played in found)
    quarters = " ".join(f"{reading:.0f}" for reading in readings)
    rates = f"{requests / took:,.0f} | {1000 * worked / max(1, requests):.2f} | {mean:.1f} | {slowest:.0f}"
    failed, count = sum(played.failed for played in found), share * len(pipes)
    print(f"| {env} | {count:,} | {took:.0f} | {requests:,} | {rates} | {before:.0f} | {quarters} | {failed} |")
    print(f"  {told[-1] if told else ''}", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="textcraft", choices=sorted(ACTIONS))
    parser.add_argument("-o", dest="options", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 16, 256])
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|{'---|' * len(COLUMNS)}")
    for count in asked.sessions:
        measure(asked.env, asked.options, count, asked.seconds)
