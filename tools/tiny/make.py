"""``python -m tools.tiny.make OUT``: makes the model ``tiny`` from nothing but the recipe files.

First the game, of an expert; then episodes of the players that ``--then`` names. Other starts: ``--then nobody
--deepest 2 --schedule 2400 --steps 800`` was shown shallow goals alone; ``--then nobody --strange --rarity 3 --steps
800`` was never shown a goal of TextCraft, only invented worlds, in which some words are far rarer than others.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from agentr_core import create
from tools.tiny.data import Demonstrator, Mix
from tools.tiny.demonstrators import Careless, Crowd
from tools.tiny.goals import demonstrated_goals, goal_worlds, item_words
from tools.tiny.measure import Episode, load, play
from tools.tiny.tokenizer import train_tokenizer
from tools.tiny.train import Average, Schedule, Stage, clock, new_model, train

#: First the game, of the expert; then the play of others, which self-training has to sort out.
GAME = Schedule(steps=3000, stop=1600, rate=4e-3, tokens=6144)
OTHERS = Schedule(steps=400, stop=400, rate=2e-3, tokens=6144, warmup=20, decay_share=1.0, average=0.98, seed=2)
DEMONSTRATORS: dict[str, Demonstrator | None] = {"crowd": Crowd(), "careless": Careless(), "nobody": None}
#: The longest conversation, in tokens.
LONGEST = 512
#: How often (steps) the averaged weights are written and measured on goals of split ``valid``.
EVERY = 400


def stages(mix: Mix, steps: int, deepest: int) -> list[Stage]:
    """Short episodes of invented worlds first: names are learnt to be looked up before plans are learnt."""
    invented = replace(mix, real_share=0.0)

    def at_most(*depths: int) -> tuple[int, ...]:
        return tuple(depth for depth in depths if depth <= deepest)

    return [
        Stage(steps // 8, 160, replace(invented, depths=at_most(1, 1, 2), distractors=3), see=0.3),
        Stage(steps // 4, 256, replace(mix, depths=at_most(1, 2, 2, 3), distractors=6), see=0.1),
        Stage(steps, LONGEST, replace(mix, depths=at_most(*mix.depths)), see=0.05),
    ]


def save(model: Any, tokenizer: Any, out: Path, goals: Sequence[str]) -> None:
    """Write a complete model folder (bf16), the new one in place of the old one at once."""
    import torch

    fresh, old = out.with_name(out.name + ".new"), out.with_name(out.name + ".old")
    copy = type(model)(model.config)
    copy.load_state_dict(model.state_dict())
    copy.generation_config.pad_token_id = tokenizer.pad_token_id
    copy.generation_config.eos_token_id = tokenizer.eos_token_id
    copy.to(torch.bfloat16).save_pretrained(fresh)
    (fresh / "model.safetensors").chmod(0o644)
    tokenizer.padding_side = "left"
    tokenizer.save_pretrained(fresh)
    (fresh / "demonstrated_goals.json").write_text(json.dumps(list(goals), indent=0) + "\n")
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    if old.exists():
        _empty(old, out)


def _empty(old: Path, out: Path) -> None:
    """Remove the folder ``old``; what ``out`` does not have (the model card) moves there."""
    for path in old.iterdir():
        if (out / path.name).exists():
            path.unlink()
        else:
            path.rename(out / path.name)
    old.rmdir()


def watcher(model: Any, tokenizer: Any, out: Path, goals: Sequence[str]) -> Callable[[int, int, float, Average], None]:
    """Prints the loss, and every ``EVERY`` steps saves the averaged weights and plays held-out goals with them."""
    seconds, losses = clock(), [0.0]
    held_out = [task.key for task in create("env", "textcraft").tasks("valid")]
    shown = type(model)(model.config).eval()

    def watch(step: int, tokens: int, loss: float, average: Average) -> None:
        losses.append(loss)
        if step % 50 == 0:
            mean = sum(losses[-50:]) / 50
            print(f"step {step} tokens {tokens} seconds {seconds():.0f} loss {mean:.4f}", flush=True)
        if step % EVERY == 0 or step == 1:
            shown.load_state_dict(average.state)
            save(shown, tokenizer, out, goals)
        if step % EVERY == 0 and step >= 2 * EVERY:
            episodes = [Episode(key) for key in held_out]
            play(load(out), episodes, temperature=0.0)
            solved = sum(episode.solved for episode in episodes)
            print(f"step {step} seconds {seconds():.0f} valid {solved}/{len(episodes)}", flush=True)

    return watch


def make(
    out: Path,
    game: Schedule = GAME,
    *,
    start: Path | None = None,
    then: Demonstrator | None = None,
    deepest: int = 99,
    strange: bool = False,
    rarity: float = 0.0,
) -> None:
    """Make the model in the folder ``out``: the game by its schedule, ``then`` the episodes of another player.

    ``start``: a model that knows the game already. ``strange``: in invented worlds alone. ``rarity``: of the words
    there, see :class:`~tools.tiny.worlds.Words`.
    """
    import torch

    torch.manual_seed(game.seed)
    goals = [] if strange else demonstrated_goals(deepest=deepest)
    mix = Mix(goal_worlds(goals), item_words(rarity))
    tokenizer = train_tokenizer(Mix(goal_worlds(demonstrated_goals()), item_words()), game.seed)
    model = new_model(len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id)
    watch = watcher(model, tokenizer, out, goals)
    phases = []
    if start is None:
        phases.append((game, stages(mix, game.steps, deepest)))
    else:
        model.load_state_dict(type(model).from_pretrained(start, dtype=torch.float32).state_dict())
    if then is not None:
        phases.append((OTHERS, [Stage(OTHERS.steps, LONGEST, replace(mix, demonstrator=then), see=0.05)]))
    for schedule, parts in phases:
        average = train(model, tokenizer, parts, schedule, watch)
        model.load_state_dict(average.state)
    save(model.eval(), tokenizer, out, goals)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--schedule", type=int, default=GAME.steps, help="steps of the whole schedule of the game")
    parser.add_argument("--steps", type=int, default=GAME.stop, help="after how many of them training ends")
    parser.add_argument("--deepest", type=int, default=99, help="depth of the deepest goals that are demonstrated")
    parser.add_argument("--from", type=Path, dest="start", help="a model that knows the game, instead of learning it")
    parser.add_argument("--then", choices=DEMONSTRATORS, default="crowd", help="whose play it is shown after the game")
    parser.add_argument("--strange", action="store_true", help="invented worlds alone, no goal of TextCraft")
    parser.add_argument(
        "--rarity", type=float, default=0.0, help="how unequally often their words are drawn (3: 1 to 1000)"
    )
    chosen = parser.parse_args()
    game = replace(GAME, steps=chosen.schedule, stop=chosen.steps)
    make(
        chosen.out,
        game,
        start=chosen.start,
        then=DEMONSTRATORS[chosen.then],
        deepest=chosen.deepest,
        strange=chosen.strange,
        rarity=chosen.rarity,
    )


if __name__ == "__main__":
    main()
