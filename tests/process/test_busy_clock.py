"""Time that several spend at once counts once."""

from __future__ import annotations

import pytest

from agentr_core.process import busy_clock as clock
from agentr_core.process.busy_clock import BusyClock


def test_overlapping_time_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([10.0, 17.0, 20.0, 21.0])
    monkeypatch.setattr(clock.time, "perf_counter", lambda: next(now))
    busy = BusyClock()
    with busy, busy:  # 10 to 17, however many are inside
        pass
    assert busy.seconds == 7.0
    with pytest.raises(OSError, match="boom"), busy:  # 20 to 21
        raise OSError("boom")
    assert busy.seconds == 8.0
