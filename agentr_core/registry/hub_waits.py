"""A model hub that does not answer: no request waits for ever, and each reason is a line, not two for each try.

``huggingface_hub`` gives most of its requests no limit of time, and logs every one that failed and every pause.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

#: Where ``huggingface_hub`` tells of requests that failed, and of downloads that broke off.
_LOGGERS = ("huggingface_hub.utils._http", "huggingface_hub.file_download")
#: How its lines about a pause begin; the reason is in the line before.
_PAUSES = ("Retrying in ", "Rate limited. ")
_FAILED = " thrown while requesting "


class _OneLineEach(logging.Filter):
    """Drops the lines about pauses, and each reason but the first time."""

    def __init__(self) -> None:
        super().__init__()
        self._said = set[str]()

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what has been said."""
        said = record.getMessage()
        if record.levelno != logging.WARNING:
            return True
        if said.startswith(_PAUSES) or said in self._said:
            return False
        self._said.add(said)
        if _FAILED in said:
            reason, _, request = said.partition(_FAILED)
            record.msg, record.args = f"the model hub does not answer ({request}: {reason}); trying again", ()
        return True


@cache
def bound_waits() -> None:
    """From now on each reason why the hub does not answer is said once, and no request waits for ever.

    One without a limit of its own waits as long as ``HF_HUB_ETAG_TIMEOUT`` says (10 seconds).
    """
    only_once = _OneLineEach()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(only_once)
    try:
        from huggingface_hub import constants, set_client_factory
        from huggingface_hub.utils._http import default_client_factory
    except ImportError:
        return

    def impatient() -> Any:
        client = default_client_factory()
        client.timeout = constants.HF_HUB_ETAG_TIMEOUT
        return client

    set_client_factory(impatient)
