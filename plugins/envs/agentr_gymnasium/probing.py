"""A trial of what a world can do: is an episode the same when it is played again, and after a deep copy is put back?"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from agentr_core import PluginError, canonical_json, derive_rng
from agentr_gymnasium.config import GymnasiumConfig
from agentr_gymnasium.player import Copy, Player, Seen

#: Steps before and after the place of which a copy is taken.
BEFORE, AFTER = 3, 5
#: Steps of another episode that is played before the copy is put back, each time; 0: none.
BETWEEN = (0, 1, 2, 5, 9)
#: What is said to a world of texts that does not tell what can be done.
WORDS = ("look", "inventory", "help", "north", "south", "east", "west", "up", "down", "left", "right", "1", "2", "wait")


@dataclass(frozen=True, slots=True)
class Trial:
    """``replay``, ``copies``: whether each shows the same again. ``why``: what spoke against copies."""

    replay: bool
    copies: bool
    why: str = ""


logger = logging.getLogger("agentr.gymnasium")
_trials: dict[str, Trial] = {}
_lock = threading.Lock()


def trial(config: GymnasiumConfig, seed: int, other: int) -> Trial:
    """The trial of a configuration with two of its seeds; made once in a process.

    :class:`~agentr_core.PluginError` where ``state=copy`` asks for copies, and they are not exact.
    """
    key = canonical_json([config.model_dump(mode="json"), seed, other])
    with _lock:
        if key not in _trials:
            _trials[key] = _try(config, seed, other)
            if not _trials[key].replay:
                logger.warning(
                    "%s shows something else when the same actions are played again with the same seed: what a tree "
                    "comes back to is not what it left (replays that differ are counted)",
                    config.id,
                )
    found = _trials[key]
    if config.state == "copy" and not found.copies:
        raise PluginError(
            f"gymnasium.state=copy: '{config.id}' cannot be copied: {found.why}; use state=auto or replay"
        )
    return found


def _try(config: GymnasiumConfig, seed: int, other: int) -> Trial:
    player = Player(config)
    try:
        start = player.begin(seed)
        first = _stroll(player, start, BEFORE, 0)
        kept, why = _copied(player) if config.state != "replay" else (None, "state=replay")
        rest = _stroll(player, first[-1][1] if first else start, AFTER, 1)
        said = [text for text, _ in first + rest]
        after = [_after(player, kept, other, steps, rest) for steps in BETWEEN] if kept is not None else []
        again = [player.begin(seed), *_say(player, said)]
        copies = kept is not None and all(shown == [seen for _, seen in rest] for shown in after)
        return Trial(
            replay=again == [start, *(seen for _, seen in first + rest)],
            copies=copies,
            why="" if copies else why or "an episode goes on differently after a copy was put back",
        )
    finally:
        player.close()


def _copied(player: Player) -> tuple[Copy | None, str]:
    try:
        return player.copy(), ""
    except Exception as error:  # whatever an object raises that cannot be copied
        return None, " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _after(player: Player, kept: Copy, other: int, steps: int, rest: list[tuple[str, Seen]]) -> list[Seen] | None:
    """What ``rest`` shows after so many steps of another episode and then the copy; None where that raises."""
    try:
        if steps:
            _stroll(player, player.begin(other), steps, 1 + steps)
        player.put(kept)
        return _say(player, [text for text, _ in rest])
    except Exception:
        return None


def _stroll(player: Player, seen: Seen, steps: int, number: int) -> list[tuple[str, Seen]]:
    rng, done = derive_rng(0, "gymnasium", "trial", number), list[tuple[str, Seen]]()
    while len(done) < steps and not (seen.terminated or seen.truncated):
        text = rng.choice(seen.valid or WORDS)
        seen = player.step(text)
        done.append((text, seen))
    return done


def _say(player: Player, texts: list[str]) -> list[Seen]:
    return [player.step(text) for text in texts]
