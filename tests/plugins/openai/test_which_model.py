"""Which model answers: looked up, loaded or served where it is not there, and never another one without a word."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from endpoint import Endpoint, Fault, status
from openai_asking import QUICK, TURNS

import agentr_core
from agentr_core import AgentrError, PolicyFailure, SampleRequest, UsageError
from agentr_core.interfaces.policy import AnyPolicy

SERVER = Path(__file__).with_name("served.py")


async def asked(policy: AnyPolicy, seed: int = 1) -> str:
    return (await policy.sample(SampleRequest(TURNS, seed=seed)))[0].text


def with_policy(work: Callable[[AnyPolicy], Awaitable[Any]], **settings: Any) -> Any:
    """``work`` with a policy of these settings that is closed afterwards."""

    async def scene() -> Any:
        policy: AnyPolicy = agentr_core.create("policy", "openai", **{**QUICK, **settings})
        try:
            return await work(policy)
        finally:
            await policy.close()

    return asyncio.run(scene())


async def used(policy: AnyPolicy) -> str:
    await policy.ready()
    return await asked(policy)


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    folder = tmp_path / "iteration-1" / "model"
    folder.mkdir(parents=True)
    return str(folder)


#: What a server lists, and the name that the model ``org/m`` has there; None where it is not that model's.
LISTED: list[tuple[list[dict[str, Any]], str | None]] = [
    ([{"id": "org/m"}], "org/m"),
    ([{"id": "other"}, {"id": "short", "root": "org/m"}], "short"),
    ([{"id": "org/m:latest"}], "org/m"),
    ([{"id": "models/org/m"}], "org/m"),
    ([{"id": "org/*"}], "org/m"),
    ([{"id": "org/m-large"}, {"id": "m"}, {"object": "model"}], None),
    ([], None),
]


@pytest.mark.parametrize(("listed", "name"), LISTED)
def test_a_name_is_looked_up(listed: list[dict[str, Any]], name: str | None) -> None:
    with Endpoint(lenient=True) as server:
        server.listed = listed
        if name is None:
            with pytest.raises(UsageError, match=r"has no model 'org/m'; it serves .*: name one with --model, or set"):
                with_policy(used, base_url=server.url, model="org/m")
            assert not server.bodies
        else:
            with_policy(used, base_url=server.url, model="org/m")
            assert server.bodies[0]["model"] == name


def test_a_name_is_believed_where_nothing_is_listed_or_one_says_so() -> None:
    with Endpoint(lenient=True) as server:
        with_policy(used, base_url=server.url, model="m", check_model=False)
        server.listed = None
        with_policy(used, base_url=server.url, model="m")
        assert [body["model"] for body in server.bodies] == ["m", "m"]


@pytest.mark.parametrize("root", [False, True], ids=["as its name", "as what is loaded"])
def test_a_checkpoint_that_is_served(root: bool, checkpoint: str, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(checkpoint)
    with Endpoint(lenient=True) as server:
        server.listed = [{"id": "actor", "root": str(link)}] if root else [{"id": checkpoint}]
        policy_model = with_policy(used_model, base_url=server.url, model=checkpoint, weights="org/base")
        assert server.bodies[0]["model"] == ("actor" if root else checkpoint)
    assert policy_model == (checkpoint, checkpoint)


async def used_model(policy: AnyPolicy) -> tuple[str, str | None]:
    """Names what is stored with trees, and what training starts from: the checkpoint, not what was before it."""
    await used(policy)
    return policy.model, policy.weights


#: How a lenient server that has another model behaves otherwise.
OTHERS: dict[str, list[dict[str, Any]] | None] = {"lists another": [{"id": "stub"}], "tells nothing": None}


@pytest.mark.parametrize("listed", OTHERS.values(), ids=OTHERS.keys())
@pytest.mark.parametrize("believe", [False, True])
def test_a_checkpoint_that_is_not_served_is_refused(
    listed: list[dict[str, Any]] | None, believe: bool, checkpoint: str
) -> None:
    with Endpoint(lenient=True) as server:
        server.listed = listed
        with pytest.raises(UsageError) as failed:
            with_policy(used, base_url=server.url, model=checkpoint, check_model=not believe)
    port = server.url.split(":")[-1].removesuffix("/v1")
    assert f"\n  vllm serve {checkpoint} --port {port}\n" in str(failed.value)
    assert "with openai.serve='vllm serve {model} --port {port}' agentr starts" in str(failed.value)
    assert not server.bodies


def test_a_checkpoint_and_no_server(checkpoint: str) -> None:
    with Endpoint() as server:
        pass
    with pytest.raises(UsageError, match=r"refuses connections(.|\n)*vllm serve "):
        with_policy(used, base_url=server.url, model=checkpoint)
    with pytest.raises(PolicyFailure, match="refuses connections"):
        with_policy(used, base_url=server.url)


@pytest.mark.parametrize("path", ["", "/v2"])
def test_a_wrong_path_is_told_before_anything_is_asked(path: str) -> None:
    with Endpoint(root="/v1/") as server, pytest.raises(UsageError) as failed:
        with_policy(used, base_url=server.url.removesuffix("/v1") + path)
    assert str(failed.value).endswith(f"set openai.base_url={server.url}")


def test_a_key_that_is_refused_is_told_at_once() -> None:
    refuse: Fault = status(401)
    with Endpoint(model="stub") as server:
        server.listing_fault = refuse
        with pytest.raises(UsageError, match="refused the key"):
            with_policy(used, base_url=server.url)
        server.listing_fault = status(403, "missing scope: model.read")
        with_policy(used, base_url=server.url)


def test_a_server_that_comes_back_with_another_model(checkpoint: str) -> None:
    """Two servers; one goes away and comes back with what it had before the training."""

    async def scene(policy: AnyPolicy) -> None:
        await policy.ready()
        await asked(policy)
        first.listed = second.listed = [{"id": "stub"}]
        policy._readiness.forget(first.url)
        policy._readiness.forget(second.url)
        await asked(policy)

    with Endpoint(lenient=True) as first, Endpoint(lenient=True) as second:
        first.listed = second.listed = [{"id": checkpoint}]
        with pytest.raises(UsageError, match="serves stub, not"):
            with_policy(scene, base_url=[first.url, second.url], model=checkpoint)
    assert len(first.bodies) + len(second.bodies) == 1


def test_one_of_two_servers_is_enough(checkpoint: str) -> None:
    with Endpoint() as gone:
        pass
    with Endpoint(lenient=True) as server:
        server.listed = [{"id": checkpoint}]
        assert with_policy(used, base_url=[gone.url, server.url], model=checkpoint)


def adapter(checkpoint: str, base: str) -> str:
    folder = Path(checkpoint).with_name("adapter")
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base, "r": 8}))
    return str(folder)


@pytest.mark.parametrize("weights", ["org/base", None], ids=["named", "listed"])
def test_an_adapter_is_loaded(weights: str | None, checkpoint: str) -> None:
    path = adapter(checkpoint, "org/base")
    with Endpoint(lenient=True) as server:
        server.listed = [{"id": "actor", "root": "elsewhere" if weights else "org/base"}]
        server.adapters = []
        for _ in range(2):
            with_policy(used, base_url=server.url, model=checkpoint, weights=weights)
    assert server.adapters == [{"lora_name": checkpoint, "lora_path": path}], "once"
    assert [body["model"] for body in server.bodies] == [checkpoint] * 2


@pytest.mark.parametrize(
    ("base", "can", "said"),
    [
        ("org/base", False, r"it did not load the adapter .* VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"),
        ("org/another", True, "its adapter is made for 'org/another', which the server does not list"),
    ],
)
def test_an_adapter_that_cannot_be_loaded(base: str, can: bool, said: str, checkpoint: str) -> None:
    adapter(checkpoint, base)
    with Endpoint(lenient=True) as server:
        server.listed = [{"id": "org/base"}]
        server.adapters = [] if can else None
        with pytest.raises(UsageError, match=said):
            with_policy(used, base_url=server.url, model=checkpoint)
    assert not server.bodies


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[int]:
    """The reading end of a pipe that the server and its child hold: it ends when both have ended."""
    os.mkfifo(tmp_path / "alive")
    end = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    yield end
    os.close(end)


def ended(alive: int, within: float) -> bool:
    """Whether all have ended who held the pipe, so many seconds from now at the latest."""
    return bool(select.select([alive], [], [], within)[0])


@pytest.fixture
def serving(port: int, alive: int, tmp_path: Path) -> dict[str, Any]:
    words = [sys.executable, str(SERVER), "--alive", str(tmp_path / "alive")]
    command = shlex.join(words) + " --model {model} --port {port}"
    return {"serve": command, "base_url": f"http://127.0.0.1:{port}/v1", "serve_timeout": 60.0}


@pytest.mark.parametrize("name", ["", " --as actor"])
@pytest.mark.parametrize("told", [True, False], ids=["ready", "asked without it"])
def test_a_command_serves_the_model(
    name: str, told: bool, serving: dict[str, Any], checkpoint: str, alive: int
) -> None:
    async def scene(policy: AnyPolicy) -> str:
        if told:
            await policy.ready()
        text = await asked(policy)
        assert not ended(alive, 0.0)
        return text

    text = with_policy(scene, **{**serving, "serve": serving["serve"] + name}, model=checkpoint)
    assert text.startswith(f"Thought: {'actor' if name else checkpoint} served from {checkpoint}\n")
    assert ended(alive, 60.0), "it and what it started"


def test_a_command_that_is_too_slow_or_ends(serving: dict[str, Any], checkpoint: str, alive: int) -> None:
    slow = {**serving, "serve": serving["serve"] + " --never", "serve_timeout": 3.0}
    with pytest.raises(UsageError, match=r"lists nothing 3 s \(openai.serve_timeout\) after") as failed:
        with_policy(used, **slow, model=checkpoint)
    assert ended(alive, 60.0)
    log = Path(str(re.search(r"its output is in (\S+?),", str(failed.value))[1]))  # type: ignore[index]
    assert "loading weights" in log.read_text()
    log.unlink()
    broken = {**serving, "serve": serving["serve"] + " --nonsense"}
    with pytest.raises(
        UsageError, match=r"does not list(.|\n)*\(exit 2\)(.|\n)*unrecognized arguments: --nonsense"
    ) as failed:
        with_policy(used, **broken, model=checkpoint)
    Path(str(re.search(r"its output is in (\S+?),", str(failed.value))[1])).unlink()  # type: ignore[index]


def test_a_command_that_is_not_there(serving: dict[str, Any], checkpoint: str) -> None:
    with pytest.raises(UsageError, match=r"openai\.serve: there is no program 'nosuchprogram'"):
        with_policy(used, **{**serving, "serve": "nosuchprogram {model}"}, model=checkpoint)


def test_a_server_of_another_model_is_in_the_way(checkpoint: str) -> None:
    with Endpoint(lenient=True) as server, pytest.raises(UsageError, match=r"serves stub, not .*; end that server"):
        with_policy(used, base_url=server.url, serve="false {model}", model=checkpoint)


def test_a_server_that_ends_by_itself_is_told(serving: dict[str, Any], checkpoint: str) -> None:
    async def scene(policy: AnyPolicy) -> None:
        await policy.ready()
        await asked(policy, seed=666)

    with pytest.raises(AgentrError, match=r"openai.serve ended \(exit 3\); its output is in (\S+),") as failed:
        with_policy(scene, **serving, model=checkpoint)
    assert type(failed.value) is UsageError
    Path(str(re.search(r"its output is in (\S+?),", str(failed.value))[1])).unlink()  # type: ignore[index]


def test_nothing_is_left_where_the_program_is_killed(
    serving: dict[str, Any], checkpoint: str, alive: int, tmp_path: Path
) -> None:
    program = (
        "import asyncio, os, signal, agentr_core\n"
        "async def scene():\n"
        f"    policy = agentr_core.create('policy', 'openai', **{ {**QUICK, **serving, 'model': checkpoint}!r})\n"
        "    await policy.ready()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(scene())\n"
    )
    outside = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=outside, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert ended(alive, 60.0)
