"""``agentr bench``: how busy a search keeps the model at hand."""

from __future__ import annotations

from typing import Any

import click

from agentr_core import Progress
from agentr_core.cli import json_option, print_json, print_table, resolve_settings, run_options, say

_COLUMNS = ("way", "nodes/s", "tokens/s", "seconds")


@click.command()
@run_options
@click.option(
    "--sequential",
    type=click.IntRange(min=0),
    default=1,
    metavar="N",
    help="Trees to grow the sequential way (one sample a call, full replay); 0: none.",
)
@json_option
@click.pass_context
def bench(ctx: click.Context, /, sequential: int, json_: bool, **_: Any) -> None:
    """Measure a search against a flat batch of the same requests, and against the sequential way.

    agentr bench --model tiny --tasks 24        Nothing is stored.
    """
    from agentr_bench.throughput import measure

    found = measure(resolve_settings(ctx).config, sequential=sequential, progress=Progress())
    if json_:
        print_json(found)
        return
    print_table(_COLUMNS, _rows(found))
    shares = " · ".join(f"{name} {100 * share:.1f}%" for name, share in found["share"].items())
    click.echo(
        f"\n{found['model']}: {found['trees']} trees, {found['requests']:,} requests, "
        f"{found['generated_tokens']:,} tokens, {100 * found['cached_share']:.0f}% of prompt tokens cached\n"
        f"time in the search: {shares}"
    )
    for line in _ratios(found):
        say(line)


def _rows(found: dict[str, Any]) -> list[list[str]]:
    def number(value: float | None, digits: int = 1) -> str:
        return "-" if value is None else f"{value:,.{digits}f}"

    return [
        [
            "search",
            number(found["nodes_per_second"]),
            number(found["search_tokens_per_second"], 0),
            number(found["search_seconds"]),
        ],
        ["flat batch", "-", number(found["flat_tokens_per_second"], 0), number(found["flat_seconds"])],
        ["sequential", number(found["sequential_nodes_per_second"]), "-", "-"],
    ]


def _ratios(found: dict[str, Any]) -> list[str]:
    lines = []
    if found["flat_tokens_per_second"] and found["search_tokens_per_second"]:
        share = found["search_tokens_per_second"] / found["flat_tokens_per_second"]
        lines.append(f"the search generates {100 * share:.0f}% of what the flat batch does in the same time")
    if found["sequential_nodes_per_second"]:
        times = found["nodes_per_second"] / found["sequential_nodes_per_second"]
        lines.append(f"the search is {times:.1f} times as fast as the sequential way")
    return lines
