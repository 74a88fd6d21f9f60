"""``python -m agentr_training.launcher FOLDER WORDS``: accelerate's launcher, which says which process ended first."""

from __future__ import annotations

import json
import sys

from accelerate.commands.launch import launch_command, launch_command_parser
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def main(folder: str, *words: str) -> int:
    """Start ``python -m agentr_training.rank FOLDER`` so many times, and wait for all; the exit code."""
    arguments = launch_command_parser().parse_args([*words, "-m", "agentr_training.rank", folder])
    try:
        launch_command(arguments)
    except ChildFailedError as error:
        process, failure = error.get_first_failure()
        print(json.dumps({"died": failure.exitcode, "process": process}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
