"""A run whose work is done by workers: they are told what it is, and its own process loads no model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentr_core.errors import PolicyFailure, UsageError
from agentr_core.interfaces.executor import AnyExecutor
from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.interfaces.policy import AnyPolicy, Policy, PolicyPreview
from agentr_core.records import Completion, SampleRequest
from agentr_core.registry.lookup import IN_PROCESS
from agentr_core.run_context import RunContext
from agentr_core.runs.provenance import versions, world_versions
from agentr_core.turns import Message
from agentr_core.workers.crew import Crew
from agentr_core.workers.messages import PluginFile, Setting


async def open_crew(context: RunContext, policy: AnyPolicy, model: str | None) -> Crew:
    """The run's workers, of which one at least can begin. ``model`` acts in place of the configured one where given.

    Raises what keeps a worker from beginning, and :class:`~agentr_core.errors.Interrupted`.
    """
    chosen = context.config.executor
    executor: AnyExecutor = context.registry.create("executor", chosen.name, chosen.options)
    crew = crew_of(context, executor, setting_of(context, policy, model))
    try:
        await crew.open()
        context.stop_here()
    except BaseException:
        await crew.close()
        raise
    return crew


def crew_of(context: RunContext, executor: AnyExecutor, setting: Setting) -> Crew:
    """A crew for the run at hand, of which no worker has been started yet."""
    concurrency, stopped, say = context.config.concurrency, context.stopped, context.progress.say
    return Crew(executor, setting, context.store, concurrency=concurrency, stopped=stopped, say=say)


def setting_of(context: RunContext, policy: AnyPolicy, model: str | None) -> Setting:
    """What workers are told of the run; :class:`~agentr_core.errors.UsageError` where a plugin of it cannot travel."""
    registry = context.registry
    if own := [plugin.name for plugin in registry.plugins if plugin.distribution == IN_PROCESS and plugin.specs]:
        raise UsageError(
            f"the plugin '{own[0]}' was registered in this process and cannot be sent to workers; write it to a file "
            "and name that with --plugin, or do the work here (--executor local)"
        )
    return Setting(
        config=context.config.model_dump(mode="json"),
        run=context.run,
        model=model,
        acting=context.model_of(policy),
        in_flight=1,  # the crew shares it out
        plugins=tuple(_plugin_file(file) for file in registry.files),
        blocked=registry.blocked,
        versions=versions(context.config, registry) | world_versions(context.worlds),
    )


def _plugin_file(name: str) -> PluginFile:
    if not name.endswith(".py"):
        return PluginFile(name, None)
    path = Path(name).resolve()
    return PluginFile(str(path), path.read_text(encoding="utf-8"))


class PolicyElsewhere(Policy[PluginConfig]):
    """What is known of a policy that only workers load."""

    def __init__(self, known: PolicyPreview) -> None:
        super().__init__(PluginConfig())
        self._known = known

    @property
    def model(self) -> str:
        """Names what answers."""
        return self._known.model

    @property
    def weights(self) -> str | None:
        """Where the model's weights can be loaded from."""
        return self._known.weights

    @property
    def template_options(self) -> dict[str, object] | None:
        """What prompts are rendered with."""
        return self._known.template_options

    @property
    def context_length(self) -> int | None:
        """How many tokens prompt and completion may have together."""
        return self._known.context_length

    @property
    def runs_on(self) -> str | None:
        """What the model runs on in a worker."""
        return self._known.runs_on

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """The length of the rendered prompt in tokens."""
        return self._known.count_tokens(messages)

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """Nothing is asked here."""
        raise PolicyFailure(f"the policy '{self.model}' answers in the run's workers, not in its own process")
