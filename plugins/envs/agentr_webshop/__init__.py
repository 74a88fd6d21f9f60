"""WebShop for agentr: buy what an instruction asks for in a shop of real or generated products."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import CommandSpec, hookimpl


@hookimpl
def agentr_register_data() -> Iterable[CommandSpec]:
    """Register ``agentr data get webshop``."""
    return [
        CommandSpec("webshop", "agentr_webshop.commands:webshop", help="WebShop's products, 1,000 or 1.18 million.")
    ]
