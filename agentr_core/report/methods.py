"""What a reader needs to judge the numbers: how they were made, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentr_core.report.chapters import Chapter
from agentr_core.report.repeating import stages_of, stored_settings
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import RunRow

#: What a column is, by its heading without ``(95%)``; columns that only name a row are not among them.
DEFINITIONS = {
    "success": "the share of tasks that end with reward 1. Behind it the 95% interval: Wilson's over tasks for one "
    "environment (with repeats, for as many independent cases as their spread tells), the normal one for a mean over "
    "environments, Student's t for a mean over seeds. Tasks that could not be played do not count.",
    "pass@K": "the share of tasks that at least one of K repeats solves, with Wilson's interval.",
    "reward": "the mean final reward of a task, between 0 and 1.",
    "steps": "agent turns of an episode, mean.",
    "invalid": "turns of an episode that the environment refused or that held no action, mean.",
    "loops": "steps of an episode that only repeat what was done directly before, by a sequence of up to four actions, "
    "mean.",
    "revision test": "the share of episodes that end with reward 1 when the model goes on from a random step of a "
    "failed attempt of the baseline.",
    "revisions": "training conversations of a failed start, a reflection and a good continuation that were kept; in "
    "brackets the share of executed splices whose reward held.",
    "against baseline": "the difference in success to the model that the run began with, paired over the same tasks, "
    "in points, and half the 95% interval.",
    "gain": "as against baseline, of the last model of the run; over seeds, paired by seed.",
    "against first run": "the difference in success to the first run in the table, paired over the same tasks.",
    "against first": "the difference to the first row: of seeds to the first group, paired by seed, with Student's t; "
    "of trainers to the first model of the same trees, paired over tasks.",
    "reads": "what the trainer learns from: conversations, preferences, actions or values of the trees.",
    "rows": "the conversations, preferences, actions or values that were trained on.",
    "trained tokens": "tokens that carried loss, of one epoch.",
    "optimizer steps": "updates of the weights.",
    "training seconds": "how long the training took, with all that it does before its first step.",
    "searched actions": "turns that were sampled in the trees that the model was made of.",
    "searched tokens": "prompts and answers of that search.",
    "critic tokens": "prompts and answers of the critic's questions, and of its rollouts.",
    "env steps": "actions that the environment was asked to do, by that search or by a critic's rollouts.",
    "verified": "splices that were executed in the environment and whose reward held.",
    "judged": "the share of revisions whose cut a verdict set; the others keep the whole failed attempt.",
    "cut (mean)": "the step after which the failed attempt is left, counted from 1, mean over pairs.",
    "agrees with oracle": "the share of failed attempts that the critic cuts at the same step as the critic oracle, "
    "which knows the distance to the goal.",
    "agrees with unrecoverable": "the same with the critic unrecoverable, which measures from which step on no rollout "
    "succeeds; of the attempts that it judged.",
    "tokens": "prompts and answers: in the table of critics those of the critic's questions, elsewhere those of the "
    "search; tokens that a cache held are counted as well.",
    "success after training": "success of the model that the run's own recipe trained on the set.",
    "baseline": "success of the model that the run began with.",
    "trees": "search trees that are done, one a task and iteration.",
    "solved": "trees with an attempt of reward 1.",
    "samples a tree": "turns that were sampled in a tree, mean.",
    "tokens a tree": "prompts and answers of a tree's search, mean.",
    "seconds a tree": "from a tree's start to its end, mean; others grow meanwhile.",
    "with pairs": "trees with a good and a bad attempt whose rewards are far enough apart to be spliced.",
    "pairs": "a good and a bad attempt of one tree that were chosen to be spliced, within the caps of a tree and leaf.",
    "executed": "splices that were played in the environment.",
    "good": "good attempts that are trained on as they are.",
    "rows trained": "conversations of the dataset that the run's own checkpoint was trained on.",
    "loss": "the mean negative log-likelihood of the trained tokens of an optimizer's step, in nats.",
    "samples": "turns that were sampled in the search.",
    "cached": "the share of prompt tokens that an engine's prefix cache held.",
    "env seconds": "time inside the environment, added up over trees, of which many grow at once.",
    "eval tokens": "prompts and answers of all evaluations.",
    "eval seconds": "from an episode's start to its end, added up over episodes, of which many are played at once.",
    "training rows": "conversations in the datasets of the run's own checkpoints.",
    "took": "from a stage's start to its end, as a clock on the wall; a stage that was resumed counts its pause.",
}
#: Columns that say which row it is, or what they mean themselves.
NAMES = frozenset(
    {
        *(
            "",
            "run",
            "runs",
            "env · searcher · critic",
            "seed",
            "seeds",
            "iterations",
            "critic",
            "iteration",
            "trainer",
        ),
        *("stage", "status", "result", "environment", "step"),
    }
)


def definitions(chapters: Iterable[Chapter]) -> dict[str, str]:
    """What the columns of the chapters' tables are, each once, in the order above."""
    columns = {
        plain(name) for chapter in chapters for part in chapter.parts if part.table.rows for name in part.table.columns
    }
    return {name: text for name, text in DEFINITIONS.items() if name in columns}


def plain(column: str) -> str:
    """A column's heading without the mark of its interval."""
    return column.removesuffix("(95%)").strip()


def methods(run: RunRow) -> str:
    """How a run's numbers were made, in a paragraph."""
    config = stored_settings(run)
    if config is None:
        return "The run was made with settings that this version of agentr does not know; they are listed below."
    return " ".join(_sentences(config, run))


def _sentences(config: RunConfig, run: RunRow) -> Iterator[str]:
    stages = stages_of(run)
    if not stages:
        yield "Conversations of others were imported as a dataset; nothing was searched or trained."
    if "search" in stages:
        yield _searched(config)
    if "revise" in stages:
        yield _revised(config)
    if "train" in stages:
        yield _trained(config)
    if "evaluate" in stages:
        yield _measured(config)
    yield f"The seed is {run.seed}; every random choice is derived from it by name."


def _searched(config: RunConfig) -> str:
    chosen = [config.search_of(name) for name in config.environments]
    tasks = " and ".join(f"{one.tasks} tasks of the split {one.split}" for one in chosen)
    return (
        f"In {' and '.join(config.environments)}, the searcher {config.searcher.name}"
        f"{_options(config.searcher.options)} grew a tree of attempts for each of {tasks} in each of "
        f"{config.iterations} iterations, acting with {_model(config)}."
    )


def _revised(config: RunConfig) -> str:
    played = "executed in the environment again" if config.revise.splice == "verified" else "as recorded, not executed"
    return (
        f"The critic {config.critic.name} looked for the first error of failed attempts; the failed start, a "
        f"reflection and the good continuation of a neighbouring attempt became one conversation ({played}; good: "
        f"reward at least {' / '.join(map(str, config.revise.alpha))} by iteration)."
    )


def _trained(config: RunConfig) -> str:
    if config.trainer.name == "none":
        return "No model was trained."
    began = "the model before" if config.start_from == "previous" else "the first model"
    return f"The trainer {config.trainer.name} fine-tuned {began} on the recipe {config.data.recipe}{_mixture(config)}."


def _mixture(config: RunConfig) -> str:
    """How much of each of several environments was trained on, where it was not what their trees brought."""
    if len(config.env) == 1:
        return ""
    weights = ", ".join(f"{name} {weight:g}" for name, weight in config.weights.items())
    weighed = f", environments by weight ({weights})" if weights else ""
    share = config.data.max_share
    return weighed + (f", none with more than {100 * share:g}% of it" if share < 1.0 else "")


def _measured(config: RunConfig) -> str:
    chosen = [config.evaluate_of(name) for name in config.environments]
    tasks = " and ".join(f"{one.tasks} tasks of the split {one.split}" for one in chosen)
    how = "greedily" if not config.evaluate.temperature else f"at temperature {config.evaluate.temperature:g}"
    repeats = f", {config.evaluate.repeats} times each" if config.evaluate.repeats > 1 else ""
    worlds = " and ".join(config.environments)
    turns = " and ".join(dict.fromkeys(str(one.max_turns) for one in chosen))
    return (
        f"Each model (the first one: {_model(config)}) played {tasks} of {worlds} {how}{repeats}, at most "
        f"{turns} turns each."
    )


def _model(config: RunConfig) -> str:
    return str(config.policy.options.get("model") or config.policy.name)


def _options(options: dict[str, object]) -> str:
    shown = [f"{name} {options[name]}" for name in ("simulations", "attempts", "samples", "depth") if name in options]
    return f" ({', '.join(shown)})" if shown else ""
