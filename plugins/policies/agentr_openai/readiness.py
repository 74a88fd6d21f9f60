"""Which model answers: looked up at the server before it is used, and served or loaded there where that can be done.

Servers that take any name answer with whatever they have. A search with a checkpoint that nobody serves would then be
one with the model before it, and nothing would show it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
from pathlib import Path

from agentr_core import UsageError
from agentr_openai.config import OpenAIConfig
from agentr_openai.connection import Connection
from agentr_openai.failures import Failure
from agentr_openai.listing import Listing, is_folder
from agentr_openai.serving import ServeCommand

logger = logging.getLogger("agentr.openai")

#: Seconds between two looks at a server that is being started.
LOOK_SECONDS = 0.5


class Readiness:
    """What each server calls the model. Nothing is looked up before :meth:`ready` was called."""

    def __init__(self, config: OpenAIConfig, connection: Connection) -> None:
        self._config, self._connection = config, connection
        self._names: dict[str, str] = {}
        self._asked = False
        self._command: ServeCommand | None = None
        self._turn = asyncio.Lock()

    @property
    def looks(self) -> bool:
        """Whether there is anything to look up: a checkpoint, or a name that is not just believed."""
        return self._config.check_model or self._config.serve is not None or is_folder(self._config.model)

    async def ready(self) -> None:
        """See to it that every server that can be reached answers with the model, and one at least can be.

        Raises :class:`~agentr_core.UsageError` with what to do where another model would answer, and
        :class:`~agentr_openai.failures.Failure` where no server can be asked.
        """
        if not self.looks:
            return
        self._asked = True
        attempt = 0
        while (failure := await self._nobody_there()) is not None:
            if attempt >= self._config.retries:
                raise self._nobody(failure)
            wait = self._config.backoff * 2**attempt if failure.wait is None else failure.wait
            await asyncio.sleep(min(wait, self._config.max_wait))
            attempt += 1

    async def _nobody_there(self) -> Failure | None:
        """Look at every server; what is wrong with the first where none can be asked now, else None."""
        failures: list[Failure] = []
        for url in self._config.base_url:
            try:
                await self.name(url)
            except Failure as failure:
                if not failure.retry:
                    raise
                failures.append(failure)
        return failures[0] if len(failures) == len(self._config.base_url) else None

    async def name(self, url: str) -> str:
        """What the server calls the model; looked up where it is not known, or was forgotten."""
        if not self._asked or url in self._names:
            return self._names.get(url, self._config.model)
        async with self._turn:
            if url not in self._names:
                self._names[url] = await self._found(url)
            return self._names[url]

    def forget(self, url: str) -> None:
        """A server went away: what comes back in its place may have another model."""
        self._names.pop(url, None)

    async def close(self) -> None:
        """End the server that was started here."""
        command, self._command = self._command, None
        if command is not None:
            await command.stop()

    async def _found(self, url: str) -> str:
        if self._command is not None and self._command.ended is not None:
            raise _ended(self._command)
        listing = await self._listing(url)
        if listing is None:
            return await self._unlisted(url)
        if (name := listing.name_of(self._config.model)) is not None:
            return name
        if self._config.serve is not None and not listing.entries:
            return await self._serve(url)
        return await self._adapter(url, listing)

    async def _listing(self, url: str) -> Listing | None:
        """What the server lists; a server that is not there lists nothing where one can be started."""
        try:
            return await self._connection.listing(url)
        except Failure as failure:
            if self._config.serve is not None and failure.down and self._command is None:
                return Listing(())
            if failure.down and self._command is not None and await self._command.ends_soon():
                raise _ended(self._command) from None
            raise

    async def _unlisted(self, url: str) -> str:
        """The server does not say what it serves: a name is believed, a checkpoint is not."""
        model = self._config.model
        if right := await self._connection.right_url(url):
            raise UsageError(f"{url} is no OpenAI interface, but {right} is: set openai.base_url={right}")
        if is_folder(model):
            raise UsageError(f"{url} does not say what it serves ({url}/models), so nothing tells whether '{model}' "
                             f"would answer; serve that with a server that lists it:{self._lines()}")  # fmt: skip
        return model

    async def _serve(self, url: str) -> str:
        """Start the user's command and wait until the model is listed."""
        assert self._config.serve is not None
        command = self._command = ServeCommand(self._config.serve, self._config.model, self._config.port)
        logger.info("%s: started, output in %s", shlex.join(command.words), command.log)
        seen: Listing | None = None
        try:
            async with asyncio.timeout(self._config.serve_timeout):
                while command.ended is None:
                    seen = await self._peek(url) or seen
                    if seen is not None and (name := seen.name_of(self._config.model)) is not None:
                        return name
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            listed = "refuses connections" if seen is None else f"lists {seen}"
            what = f"{url} {listed} {self._config.serve_timeout:g} s (openai.serve_timeout) after"
        else:
            what = f"{url} does not list '{self._config.model}', and (exit {command.ended}) this has ended:"
        story = command.story()
        await self._give_up(command)
        raise UsageError(f"{what} '{shlex.join(command.words)}'; {story}")

    async def _give_up(self, command: ServeCommand) -> None:
        """End it, and keep its output: the message names it."""
        self._command = None
        await command.stop(keep_log=True)

    async def _peek(self, url: str) -> Listing | None:
        try:
            return await self._connection.listing(url)
        except Failure:  # it is not up yet; why it does not come up is in its output
            return None

    async def _adapter(self, url: str, listing: Listing) -> str:
        """Load the adapter of a checkpoint over the base model that the server has; refuse where that cannot be."""
        model, found = self._config.model, adapter_of(self._config.model)
        if found is None:
            raise self._not_served(url, listing)
        adapter, base = found
        if base != self._config.weights and not listing.has_loaded(base):
            raise self._not_served(url, listing, f"its adapter is made for '{base}', which the server does not list")
        refusal = await self._connection.load_adapter(url, model, str(adapter))
        if refusal is not None:
            raise self._not_served(url, listing, f"it did not load the adapter {adapter} either: {refusal}; vLLM does "
                                   "with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True")  # fmt: skip
        logger.info("%s: loaded the adapter %s", url, adapter)
        return model

    def _not_served(self, url: str, listing: Listing, besides: str = "") -> UsageError:
        model, more = self._config.model, f" ({besides})" if besides else ""
        if self._config.serve is not None:
            return UsageError(f"{url} serves {listing}, not '{model}'{more}; end that server: openai.serve starts one")
        if is_folder(model):
            return UsageError(f"{url} serves {listing}, not '{model}', which is to act now{more}. Serve that there"
                              f" instead:{self._lines()}")  # fmt: skip
        return UsageError(
            f"{url} has no model '{model}'; it serves {listing}: name one with --model, or set "
            "openai.check_model=false where it takes names that it does not list"
        )

    def _nobody(self, failure: Failure) -> Exception:
        """The error where no server can be asked."""
        if not is_folder(self._config.model):
            return failure
        return UsageError(f"{failure} '{self._config.model}' is to act now; serve that there:{self._lines()}")

    def _lines(self) -> str:
        """What to type, and how not to have to."""
        serve = shlex.join(["vllm", "serve", self._config.model, "--port", str(self._config.port)])
        return (
            f"\n  {serve}\n(any server will do that lists this path in /v1/models; with "
            "openai.serve='vllm serve {model} --port {port}' agentr starts and ends it by itself)"
        )


def _ended(command: ServeCommand) -> Failure:
    return Failure(f"openai.serve ended (exit {command.ended}); {command.story()}", retry=False, usage=True)


def adapter_of(model: str) -> tuple[Path, str] | None:
    """The folder of the adapter that a checkpoint is made of, and the model it is made for; None without one.

    A trainer of adapters leaves the whole model in ``model/`` and the adapter in ``adapter/`` beside it; a model's
    folder may also be an adapter and nothing else.
    """
    if not is_folder(model):
        return None
    for folder in (Path(model), Path(model).parent / "adapter"):
        try:
            settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
            return folder, str(settings["base_model_name_or_path"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
