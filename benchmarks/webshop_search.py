"""How long a WebShop catalogue takes to load and to index, and a search to be answered.

    python benchmarks/webshop_search.py                             generated catalogues of 1,000 and 100,000 products
    python benchmarks/webshop_search.py --data FOLDER --sizes 1000  the original's files as well

Every search is another one, and nothing is cached. Seconds are wall clock, "CPU" the time of this process; each line
is measured in a process of its own, with an empty cache folder for the first index and a filled one for the second.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import TypeVar

T = TypeVar("T")
HEADER = """\
| catalogue         |   load s |  (CPU) |  index s |  (CPU) | mapped s | search ms, median |    p99 | memory MB |
|:------------------|---------:|-------:|---------:|-------:|---------:|------------------:|-------:|----------:|"""


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """What ``work`` returns, its seconds and its CPU seconds."""
    began, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - began, time.process_time() - cpu


def measure(source: str, size: int, searches: int) -> str:
    """One line of the table."""
    from agentr_webshop import bm25
    from agentr_webshop.catalogue import load_catalogue

    catalogue, load, load_cpu = timed(lambda: load_catalogue(source, size=size))
    index, build, build_cpu = timed(lambda: bm25.search_index(catalogue))
    bm25._indexes.clear()
    _, again, _ = timed(lambda: bm25.search_index(catalogue))
    step = max(1, len(catalogue.products) * 2 // searches)
    queries = [text.lower() for p in catalogue.products[::step] for text in (p.title, p.instruction) if text]
    times = [1e3 * timed(lambda text=text: index.search(text))[1] for text in queries[:searches]]  # type: ignore[misc]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    name = f"{len(catalogue.products):,} " + ("generated" if source == "generated" else "real")
    mapped = f"{again:8.2f}" if len(catalogue.products) >= bm25.MAPPED_FROM else "       -"
    return (
        f"| {name:<17} | {load:8.2f} | {load_cpu:6.2f} | {build:8.2f} | {build_cpu:6.2f} | {mapped} "
        f"| {median(times):17.3f} | {quantiles(times, n=100)[98]:6.3f} | {memory:9,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="load, index and search of WebShop catalogues")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000], help="products of generated ones")
    parser.add_argument("--data", help="a folder with the original's files")
    parser.add_argument("--searches", type=int, default=2_000, help="searches for the median")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(measure(options.one[0], int(options.one[1]), options.searches))
        return
    print(HEADER, flush=True)
    lines = [("generated", size) for size in options.sizes] + ([(options.data, 0)] if options.data else [])
    for source, size in lines:
        with tempfile.TemporaryDirectory() as cache:
            command = [sys.executable, __file__, "--searches", str(options.searches), "--one", source, str(size)]
            subprocess.run(command, env={**os.environ, "AGENTR_CACHE": cache}, check=True)


if __name__ == "__main__":
    main()
