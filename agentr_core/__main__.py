"""``python -m agentr_core`` is the same as ``agentr``."""

from __future__ import annotations

import sys

from agentr_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
