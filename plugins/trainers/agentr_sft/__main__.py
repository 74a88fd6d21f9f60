"""Fine-tune on an exported dataset, on as many GPUs as there are.

    agentr datasets export 3 -o data.jsonl
    python -m agentr_sft data.jsonl --model MODEL --out FOLDER -o epochs=3

The same settings and the same result as the train stage of ``agentr run``; no store is involved. It starts processes by
itself; over several machines, start ``accelerate launch -m agentr_sft`` on each of them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from agentr_core import AgentrError, Checkpoint, UsageError, read_dataset, validate_config
from agentr_sft.config import SFTSettings


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="The model to start from: a folder or a hub id.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to leave the model in.")
@click.option("--iteration", default=1, show_default=True, help="The round of self-training, which decides the epochs.")
@click.option("--seed", default=0, show_default=True, help="Of the order of the data.")
@click.option("-o", "options", multiple=True, metavar="KEY=VALUE", help="A setting of the trainer; may be repeated.")
def main(dataset: Path, model: str, out: Path, iteration: int, seed: int, options: tuple[str, ...]) -> None:
    """Fine-tune MODEL on DATASET (JSON lines) and print the checkpoint as JSON; run again to go on after a stop."""
    try:
        settings = validate_config(SFTSettings, dict(map(_setting, options)), "-o ")
        examples = read_dataset(dataset, say=_say)
        from agentr_sft.trainer import SFT

        start = Checkpoint(model=model, base_model=model, iteration=iteration - 1)
        made = SFT(settings).train(examples, start, out, resume=True, seed=seed, report=_report)
    except AgentrError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    if os.environ.get("RANK", "0") == "0":
        click.echo(made.model_dump_json())


def _setting(option: str) -> tuple[str, object]:
    key, given, value = option.partition("=")
    if not given:
        raise UsageError(f"-o {option}: write it as KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _say(line: str) -> None:
    """One line on stderr, by the first process alone."""
    if os.environ.get("RANK", "0") == "0":
        click.echo(line, err=True)


def _report(step: int, metrics: Mapping[str, float]) -> None:
    if "loss" not in metrics:
        _say_lengths(metrics)
        return
    done = f"{100 * metrics['progress']:.0f}%"
    click.echo(f"step {step:5d}  {done:>4s}  loss {metrics['loss']:.4f}", err=True)


def _say_lengths(metrics: Mapping[str, float]) -> None:
    """What is left out or shortened, before the first step."""
    limit, longest = f"max_length={metrics['max_length']:.0f}", f"the longest has {metrics['longest']:,.0f} tokens"
    if dropped := metrics["dropped"]:
        total = dropped + metrics["examples"] + metrics["untrained"]
        _say(f"{dropped:,.0f} of {total:,.0f} conversations are left out: too long for {limit} ({longest})")
    if untrained := metrics["untrained"]:
        _say(f"{untrained:,.0f} conversations are left out: no turn of theirs is to be trained")
    if shortened := metrics["shortened"]:
        _say(f"{shortened:,.0f} conversations go without their oldest steps, to fit {limit}")


if __name__ == "__main__":
    main()
