"""What to tell of rows that a trainer left out or shortened, or goes through too often.

Read out of the metrics of a training, where they hold any of: ``examples`` (trained on), ``dropped`` (too long, left
out), ``untrained`` (left out since no turn carries loss), ``unwanted`` (left out by the trainer's settings),
``shortened`` (without their oldest steps), ``general`` (of the examples), ``max_length`` (the limit that counted, in
tokens), ``longest`` (tokens of the longest one left out), ``epochs``.
"""

from __future__ import annotations

from collections.abc import Mapping

#: From this share of conversations left out on, there is a warning.
_MANY = 0.05
#: From so many epochs on, there is a warning.
_OFTEN = 10
_KINDS = ("revisions", "good")


def with_left_out(metrics: Mapping[str, float], selection: Mapping[str, int]) -> dict[str, float]:
    """``metrics`` of a trainer, with those among the dropped that the dataset was made without."""
    before = selection.get("dropped", 0)
    if not before or ("loss" in metrics and "examples" not in metrics):  # one step's, which count no conversations
        return dict(metrics)
    longest = max(metrics.get("longest", 0.0), float(selection.get("longest", 0)))
    return {**metrics, "dropped": metrics.get("dropped", 0.0) + before, "longest": longest}


def selection_note(selection: Mapping[str, int]) -> str:
    """``135 of 162 revisions, 76 of 80 good (27 over the caps of a tree, 4 equal)``; empty where none was left out."""
    reasons = [(selection.get("over_caps", 0), "over the caps of a tree"), (selection.get("equal", 0), "equal")]
    reasons.append((selection.get("over_mixture", 0), "over the share of an environment"))
    told = ", ".join(f"{count:,} {why}" for count, why in reasons if count)
    taken = ", ".join(f"{selection.get(f'taken_{kind}', 0):,} of {selection.get(kind, 0):,} {kind}" for kind in _KINDS)
    return f"{taken} ({told})" if told else ""


def length_note(metrics: Mapping[str, float], setting: tuple[str, int | None], eta: float = 1.0) -> str:
    """``49 dropped for length (sft.max_length=1024) · 3 shortened``; empty where none was.

    ``setting`` is the name and value of the setting that bounds the length. Where conversations of a mixture with a
    share ``eta`` of agent data were left out, the share that is left is said.
    """
    dropped, untrained, shortened = (int(metrics.get(name, 0)) for name in ("dropped", "untrained", "shortened"))
    parts = []
    if unwanted := int(metrics.get("unwanted", 0)):
        parts.append(f"{unwanted:,} not of the kind that is trained on")
    if dropped:
        parts.append(f"{dropped:,} dropped for length{_limit(metrics, setting)}")
    if untrained:
        parts.append(f"{untrained:,} without a turn to train")
    if shortened:
        parts.append(f"{shortened:,} shortened")
    if dropped and eta < 1.0 and "general" in metrics and metrics.get("examples"):
        share = 1 - metrics["general"] / metrics["examples"]
        if round(100 * share) != round(100 * eta):
            parts.append(f"{100 * share:.0f}% agent data left (data.eta={eta:g})")
    return " · ".join(parts)


def length_warning(metrics: Mapping[str, float], setting: tuple[str, int | None]) -> str | None:
    """What to set where more than 5% of the conversations were too long; None where fewer were."""
    dropped = metrics.get("dropped", 0.0)
    total = dropped + metrics.get("untrained", 0.0) + metrics.get("examples", 0.0)
    if dropped <= _MANY * total:
        return None
    many = f"{dropped:,.0f} of {total:,.0f} conversations are too long{_limit(metrics, setting)} and were left out"
    longest = f"set {setting[0]} to {metrics['longest']:.0f} to keep all" if metrics.get("longest") else ""
    match _what_counts(metrics, setting):
        case "setting":
            return f"{many}; {longest or f'raise {setting[0]}'}"
        case "context":
            return f"{many}; a model with a longer context takes them"
    return many


def _limit(metrics: Mapping[str, float], setting: tuple[str, int | None]) -> str:
    """The limit that counted, in brackets; empty where it is not known."""
    match _what_counts(metrics, setting):
        case "setting":
            return f" ({setting[0]}={setting[1]})"
        case "context":
            return f" (the model's context is {metrics['max_length']:.0f} tokens)"
    return ""


def _what_counts(metrics: Mapping[str, float], setting: tuple[str, int | None]) -> str | None:
    """``setting``, or ``context`` where the model's is shorter; None where neither is known."""
    if setting[1] is None:
        return None
    return "setting" if metrics.get("max_length", setting[1]) == setting[1] else "context"


def epochs_warning(metrics: Mapping[str, float], trainer: str) -> str | None:
    """What to set where the rows are gone through more than ten times; None where they are not."""
    epochs = metrics.get("epochs", 0.0)
    if epochs <= _OFTEN:
        return None
    return (
        f"the rows are gone through {epochs:.0f} times, and are soon known by heart: give fewer {trainer}.epochs or "
        f"{trainer}.trained_tokens, or search more tasks (search.tasks)"
    )
