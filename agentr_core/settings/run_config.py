"""The resolved configuration of a run: which plugins with which options, and the settings of each stage.

How it is put together from flags, environment variables, ``run.toml`` and presets is ``settings/layers.py``'s
business; here is only what the values mean and which are allowed.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from agentr_core.hashing import content_hash
from agentr_core.interfaces.executor import LOCAL
from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.interfaces.trainer import PLACE_SETTINGS
from agentr_core.interfaces.turn_parsing import REVISION_ACTION
from agentr_core.settings.dotted import flatten

SettingsT = TypeVar("SettingsT", bound=PluginConfig)


class ChosenPlugin(PluginConfig):
    """One plugin of a run: its registered name (or ``module:Class``) and its options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    def without_place(self) -> ChosenPlugin:
        """A trainer without its settings of where the work is done."""
        kept = {name: value for name, value in self.options.items() if name not in PLACE_SETTINGS}
        return self.model_copy(update={"options": kept})

    def placed_as(self, other: ChosenPlugin) -> ChosenPlugin:
        """A trainer whose work is done where that of ``other`` is."""
        place = {name: value for name, value in other.options.items() if name in PLACE_SETTINGS}
        return self.model_copy(update={"options": {**self.without_place().options, **place}})


#: What chooses the tasks of an iteration (``search/task_samplers.py``); the first is the default.
SAMPLERS = ("uniform", "by_depth", "failing_first")


class SearchSettings(PluginConfig):
    """The search stage: one tree for each task (Agent-R section 3.1, phase I)."""

    tasks: int = Field(default=60, ge=1, description="training tasks searched in each iteration")
    split: str = Field(default="train", description="the environment's split they come from")
    rotate: bool = Field(default=True, description="take other tasks in each iteration while there are any")
    sampler: str = Field(
        default=SAMPLERS[0], description=f"which tasks: {', '.join(SAMPLERS)}, or a function of yours, module:function"
    )

    @field_validator("sampler")
    @classmethod
    def _sampler_exists(cls, name: str) -> str:
        module, colon, function = name.partition(":")
        if name not in SAMPLERS and not (module and colon and function):
            near = difflib.get_close_matches(name, SAMPLERS, n=1)
            hint = f" did you mean '{near[0]}'?" if near else ""
            raise ValueError(
                f"there is no sampler '{name}';{hint} there are {', '.join(SAMPLERS)}, or a function as module:function"
            )
        return name


def _as_list(value: object) -> object:
    """One number is a list of one."""
    return [value] if isinstance(value, int | float) else value


class ReviseSettings(PluginConfig):
    """The revise stage: pairs of leaves, the cut, the splice (Agent-R sections 3.1 and 4.2)."""

    alpha: Annotated[tuple[Annotated[float, Field(ge=0.0, le=1.0)], ...], BeforeValidator(_as_list)] = Field(
        default=(0.5, 0.7, 1.0),
        min_length=1,
        description="least reward of a good trajectory, by iteration (last one repeats)",
    )
    beta: float = Field(default=0.2, ge=0.0, le=1.0, description="a pair needs r(good) - r(bad) > beta (mode gap)")
    beta_mode: Literal["gap", "absolute"] = Field(
        default="gap", description="gap, or absolute: r(bad) < beta < r(good)"
    )
    max_pairs_per_tree: int = Field(default=32, ge=1, description="at most this many pairs of one tree")
    max_pairs_per_leaf: int = Field(default=4, ge=1, description="at most this many pairs with the same leaf")
    splice: Literal["verified", "recorded"] = Field(
        default="verified",
        description="verified: execute bad start and good tail; recorded: the paper's way, unchecked",
    )
    repairs: int = Field(
        default=1,
        ge=0,
        description="attempts to continue a splice whose reward fell (verified only), evaluate.max_tokens a turn",
    )
    repair_temperature: float = Field(default=1.0, ge=0.0, description="what they are sampled at; 0 is greedy")
    revision_action: str = Field(
        default=REVISION_ACTION, description="the action of the revision signal; the paper's is wait"
    )

    train_refused: bool = Field(
        default=False, description="also train agent turns of good trajectories that the environment refused"
    )

    @model_validator(mode="after")
    def _repairs_differ(self) -> ReviseSettings:
        if self.repairs > 1 and self.repair_temperature == 0:
            raise ValueError(
                f"repairs {self.repairs} at repair_temperature 0 would be one and the same attempt: "
                "give revise.repair_temperature more than 0, or revise.repairs=1"
            )
        return self

    def alpha_at(self, iteration: int) -> float:
        """Alpha of a 1-based iteration; the last value repeats."""
        return self.alpha[min(iteration, len(self.alpha)) - 1]


class DataSettings(PluginConfig):
    """What is trained on (Agent-R section 3.1, equation 6)."""

    recipe: Literal["agent-r", "direct", "optimal", "good", "demonstrations"] = Field(
        default="agent-r", description="which samples are taken; demonstrations: none but those of an imported dataset"
    )
    demonstrations: int | None = Field(
        default=None,
        ge=1,
        description="number of an imported dataset (agentr datasets import) that is trained on beside the samples; the "
        "recipe demonstrations takes the run's own newest one unless told otherwise",
    )
    eta: float = Field(
        default=1.0, gt=0.0, le=1.0, description="share of agent data; the rest is general conversations"
    )
    general: str | None = Field(default=None, description="JSONL of general conversations, needed where eta is below 1")
    max_share: float = Field(
        default=1.0, gt=0.0, le=1.0, description="largest share of the agent data that one of several environments has"
    )
    prefer: Literal["short", "chance"] = Field(
        default="short", description="what the caps keep: the shortest conversations, or any"
    )
    max_good_per_tree: int = Field(default=8, ge=1, description="at most this many good trajectories of one tree")
    max_revisions_per_tree: int = Field(
        default=16, ge=1, description="at most this many revision trajectories of one tree"
    )

    @model_validator(mode="after")
    def _general_data_is_there(self) -> DataSettings:
        if self.eta < 1.0 and self.general is None:
            raise ValueError("eta below 1 mixes in general conversations: name their file with data.general")
        return self


class EvaluateSettings(PluginConfig):
    """How a model is measured: greedily, each task once, or sampled, each task ``repeats`` times.

    Where no temperature is given it follows from ``repeats``: 0 for one, 1 for more.
    """

    split: str = Field(default="test", description="the environment's split")
    tasks: int = Field(default=100, ge=1, description="at most this many tasks, always the same ones")
    repeats: int = Field(default=1, ge=1, description="how often each task is played, each time with another seed")
    temperature: float = Field(default=0.0, ge=0.0, description="0 is greedy (with repeats: 1 unless given)")
    max_tokens: int = Field(default=500, ge=1, description="tokens of one turn")
    max_turns: int = Field(default=100, ge=1, description="turns of one episode (the paper: 100)")
    revision_test: bool = Field(default=True, description="also continue failed baseline trajectories from a cut")
    revision_tasks: int = Field(default=100, ge=1, description="at most this many of them, always the same ones")
    revision_turns: int = Field(
        default=50, ge=1, description="turns after the cut in the revision test (the paper: 50)"
    )

    @model_validator(mode="before")
    @classmethod
    def _repeats_are_sampled(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and "temperature" not in values:
            return {**values, "temperature": usual_temperature(values.get("repeats", 1))}
        return values

    @model_validator(mode="after")
    def _repeats_differ(self) -> EvaluateSettings:
        if self.repeats > 1 and self.temperature == 0:
            raise ValueError(
                f"repeats {self.repeats} at temperature 0 would play one and the same episode {self.repeats} times: "
                "give evaluate.temperature more than 0, or leave it out, which is 1"
            )
        return self


def usual_temperature(repeats: Any) -> float:
    """What an evaluation samples at unless told otherwise: greedily, but for repeats, which would all be the same."""
    return 1.0 if isinstance(repeats, int) and repeats > 1 else 0.0


class ChosenEnvironment(ChosenPlugin):
    """One environment of a run: its plugin, and what of the stages' settings is its own.

    ``search`` and ``evaluate`` hold the settings that differ from the run's. ``weight``: its share of the agent data
    beside the weights of the other environments; None takes what its trees bring, 0 nothing of it.
    """

    weight: float | None = Field(
        default=None, ge=0.0, description="share of the agent data, beside the others'; 0: none is trained on"
    )
    search: dict[str, Any] = Field(default_factory=dict, description="search settings of its own")
    evaluate: dict[str, Any] = Field(default_factory=dict, description="evaluate settings of its own")

    @model_serializer(mode="wrap")
    def _short(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what it has not of its own: the rows of runs from before there were several read the same."""
        values: dict[str, Any] = dump(self)
        return {key: value for key, value in values.items() if key in ("name", "options") or value not in (None, {})}


class RunConfig(PluginConfig):
    """Everything that decides what a run computes.

    ``env`` is one environment or several; in JSON one stands alone, several in a list. A trained model is of all of
    them together (Agent-R section 4.2, multi-task training).
    """

    env: tuple[ChosenEnvironment, ...] = Field(min_length=1)
    policy: ChosenPlugin
    searcher: ChosenPlugin
    critic: ChosenPlugin
    trainer: ChosenPlugin
    trainers: tuple[ChosenPlugin, ...] = Field(
        default=(), description="further trainers: iterations take all of them in turn"
    )
    executor: ChosenPlugin = Field(
        default=ChosenPlugin(name=LOCAL), description="where the work is done; changes no result"
    )
    seed: int = Field(default=0, ge=0, description="every random choice derives from it")
    iterations: int = Field(default=2, ge=1, description="rounds of search, revise, train and evaluate")
    start_from: Literal["previous", "base"] = Field(
        default="previous", description="where the training of an iteration starts"
    )
    revise_unread: bool = Field(
        default=False,
        description="revise trees also where no training reads revisions; a critic that is named asks for it",
    )
    concurrency: int = Field(default=64, ge=1, description="trees and episodes in flight; changes no result")
    search: SearchSettings = SearchSettings()
    revise: ReviseSettings = ReviseSettings()
    data: DataSettings = DataSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    plugins: tuple[str, ...] = Field(default=(), description="plugin files and modules that the run needs")

    @field_validator("env", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return value if isinstance(value, list | tuple) else (value,)

    @field_serializer("env", mode="wrap")
    def _one_alone(self, value: Any, dump: SerializerFunctionWrapHandler) -> Any:
        values = list(dump(value))
        return values[0] if len(values) == 1 else values

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what came later and is not asked for: the rows of runs from before read the same."""
        values: dict[str, Any] = dump(self)
        left_out = {name for name in ("trainers", "revise_unread") if not values.get(name)}
        left_out |= {"executor"} if self.executor.name == LOCAL else set()
        return {key: value for key, value in values.items() if key not in left_out}

    @model_validator(mode="after")
    def _environments_fit(self) -> RunConfig:
        names = self.environments
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"the environment '{twice}' is named twice; a run has each once")
        for chosen in self.env:
            _of_its_own(chosen, "search", self.search)
            _of_its_own(chosen, "evaluate", self.evaluate)
        if not self.trained_environments:
            raise ValueError(f"{names[0]}.weight: one environment at least must have a weight above 0")
        return self

    @property
    def environments(self) -> list[str]:
        """The names of the run's environments, in their order."""
        return [chosen.name for chosen in self.env]

    def search_of(self, environment: str) -> SearchSettings:
        """The search settings of one of the environments: the run's, but for its own."""
        return _of_its_own(self._chosen(environment), "search", self.search)

    def evaluate_of(self, environment: str) -> EvaluateSettings:
        """The evaluation settings of one of the environments: the run's, but for its own."""
        return _of_its_own(self._chosen(environment), "evaluate", self.evaluate)

    @property
    def all_trainers(self) -> tuple[ChosenPlugin, ...]:
        """The run's trainers in the order that iterations take them."""
        return (self.trainer, *self.trainers)

    def trainer_at(self, iteration: int) -> ChosenPlugin:
        """The trainer of a 1-based iteration: they take turns."""
        return self.all_trainers[(iteration - 1) % len(self.all_trainers)]

    @property
    def weights(self) -> dict[str, float]:
        """The weights of the environments in the agent data; empty where none is given, else 1 for the others.

        0 leaves one out, and alone weighs no other: they are as without it.
        """
        given = {chosen.name: chosen.weight for chosen in self.env if chosen.weight is not None}
        return {**dict.fromkeys(self.environments if any(given.values()) else (), 1.0), **given}

    @property
    def trained_environments(self) -> list[str]:
        """The environments whose trees are trained on: all but those of weight 0."""
        return [chosen.name for chosen in self.env if chosen.weight != 0]

    def _chosen(self, environment: str) -> ChosenEnvironment:
        return next(chosen for chosen in self.env if chosen.name == environment)

    def identity(self) -> dict[str, Any]:
        """The part that a resumed run must share: all but ``concurrency``, ``executor``, where training is done, where
        plugin files lie, and whether revisions are made that no training of it reads."""
        trainers = tuple(chosen.without_place() for chosen in self.trainers)
        anywhere = self.model_copy(update={"trainer": self.trainer.without_place(), "trainers": trainers})
        return anywhere.model_dump(mode="json", exclude={"concurrency", "executor", "plugins", "revise_unread"})

    def placed_as(self, other: RunConfig) -> RunConfig:
        """This run, trained where ``other`` is, which is the same run but for that."""
        pairs = zip(self.trainers, other.trainers, strict=True)
        trainers = tuple(ours.placed_as(theirs) for ours, theirs in pairs)
        return self.model_copy(update={"trainer": self.trainer.placed_as(other.trainer), "trainers": trainers})

    def differences(self, other: RunConfig) -> list[tuple[str, Any, Any]]:
        """What keeps ``other`` from going on with this run: rows of dotted setting, value here, value there."""
        mine, theirs = dict(flatten(self._by_name())), dict(flatten(other._by_name()))
        return [(key, mine.get(key), theirs.get(key)) for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]

    def _by_name(self) -> dict[str, Any]:
        """:meth:`identity`, with the tables of several environments under their names."""
        identity = self.identity()
        if isinstance(identity["env"], Mapping):
            return identity
        return {**identity, "env": ",".join(self.environments), **{one["name"]: one for one in identity["env"]}}

    @property
    def hash(self) -> str:
        """Hash of :meth:`identity`; the sampler that was the only one before there were several does not count."""
        identity = self.identity()
        if identity["search"]["sampler"] == SAMPLERS[0]:
            del identity["search"]["sampler"]
        return content_hash(identity)


#: How a model is measured is one for all environments: their results are averaged.
_ONE_FOR_ALL = ("repeats", "temperature", "revision_test")


def _of_its_own(chosen: ChosenEnvironment, section: str, common: SettingsT) -> SettingsT:
    """The common settings of a stage with those that an environment has of its own."""
    if shared := [key for key in getattr(chosen, section) if key in _ONE_FOR_ALL]:
        raise ValueError(f"{chosen.name}.{section}.{shared[0]}: is one for all environments; set {section}.{shared[0]}")
    try:
        return type(common).model_validate({**common.model_dump(), **getattr(chosen, section)})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, (chosen.name, section, *first["loc"])))
        raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
