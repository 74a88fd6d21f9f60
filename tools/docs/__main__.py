"""``python -m tools.docs reference`` or ``python -m tools.docs llms``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tools.docs.api_page import api_page, hooks_page
from tools.docs.cli_page import cli_page
from tools.docs.environments_page import environments_page
from tools.docs.llms import write_llms
from tools.docs.schema_page import schema_page
from tools.docs.settings_page import settings_page

REPOSITORY = Path(__file__).parents[2]
REFERENCE: dict[str, Callable[[], str]] = {
    "cli": cli_page,
    "settings": settings_page,
    "environments": environments_page,
    "hooks": hooks_page,
    "api": api_page,
    "schema": schema_page,
}


def main(command: str) -> None:
    """Do what ``command`` names; SystemExit for one that there is not."""
    if command == "reference":
        for name, make in REFERENCE.items():
            (REPOSITORY / "docs" / "reference" / f"{name}.md").write_text(make(), encoding="utf-8")
    elif command == "llms":
        write_llms(REPOSITORY / "mkdocs.yml", REPOSITORY / "site")
    else:
        raise SystemExit(f"there is no '{command}'; there are: reference, llms")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
