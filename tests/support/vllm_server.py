"""A real ``vllm serve`` on this machine, which can be killed and started again at the same address."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

#: A cold start beside other work takes a minute.
START_SECONDS = 900.0
CONTEXT = 2048
NAME = "smollm2-135m"


class VLLMServer:
    """``with VLLMServer(folder, log) as server``; on a CPU with the settings that the policy ``vllm`` uses."""

    def __init__(self, model: Path | str, log: Path) -> None:
        self.model, self.log = model, log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> VLLMServer:
        self.start()
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to start it; it listens once :meth:`wait` returns."""
        # `vllm serve` itself wants the metadata of a distribution called vllm, which the CPU build has not.
        command = [
            *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(self.model)),
            *("--served-model-name", NAME, "--host", "127.0.0.1", "--port", str(self.port), "--dtype", "float32"),
            *("--max-model-len", str(CONTEXT), "--max-num-batched-tokens", str(CONTEXT), "--no-enable-chunked-prefill"),
            *("--enforce-eager", "--block-size", "32", "--kv-cache-memory-bytes", str(1 << 30)),
            "--enable-prompt-tokens-details",
        ]
        environment = {
            **os.environ,
            "VLLM_NO_USAGE_STATS": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "OMP_NUM_THREADS": str(os.cpu_count()), "GOMP_SPINCOUNT": "0", "TORCHDYNAMO_DISABLE": "1",
        }  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def wait(self) -> None:
        """Until it is healthy; raises with the end of its log where it ends before."""
        assert self.process is not None
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)  # between two looks; what is waited for is the answer
        self.stop()
        raise RuntimeError(f"vllm serve did not start:\n{self.log.read_text(errors='replace')[-3000:]}")

    def kill(self) -> None:
        """SIGKILL to the server and its engine, as the system does when memory runs out."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """End it; nothing of it is left afterwards."""
        if self.process is not None and self.process.poll() is None:
            self._signal(signal.SIGTERM)
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, number)  # it leads a group of its own
        except ProcessLookupError:
            return
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
