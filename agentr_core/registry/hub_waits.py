"""What is said while a model hub does not answer: a line for each reason, not two for each of a dozen tries.

``huggingface_hub`` logs every failed request and every pause. Its loggers are found by their names: nothing is imported.
"""

from __future__ import annotations

import logging

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


_FILTER = _OneLineEach()


def say_waits_once() -> None:
    """From now on each reason why the hub does not answer is said once. May be called any number of times."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
