"""Work in sessions that are lost: done again in another one, or given up with the error that tells if it may pass."""

from __future__ import annotations

import pytest

from agentr_core import EnvironmentFailure, SessionLost, persistently
from agentr_core.process.sessions import LONGEST_WAIT, pause


class Server:
    """Loses its first ``failing`` sessions; knows how many were begun and given up."""

    def __init__(self, failing: int, *, away: bool = True) -> None:
        self.failing, self.away = failing, away
        self.begun = self.given_up = 0

    def work(self) -> int:
        self.begun += 1
        if self.begun <= self.failing:
            raise SessionLost(f"session {self.begun} is gone", away=self.away)
        return self.begun

    def leave(self) -> None:
        self.given_up += 1


def test_a_lost_session_is_given_up_and_the_work_done_in_another_one() -> None:
    server = Server(failing=2)
    assert persistently(server.work, give_up=server.leave, retries=2, wait=0.0) == 3
    assert (server.begun, server.given_up) == (3, 2)


@pytest.mark.parametrize("away", [True, False])
def test_after_the_last_attempt_it_is_said_whether_it_may_pass(away: bool) -> None:
    server = Server(failing=9, away=away)
    with pytest.raises(EnvironmentFailure, match="session 3 is gone") as caught:
        persistently(server.work, give_up=server.leave, retries=2, wait=0.0)
    assert caught.value.passing is away and (server.begun, server.given_up) == (3, 3)


def test_other_errors_are_nobody_elses_business() -> None:
    server = Server(failing=0)
    with pytest.raises(ZeroDivisionError):
        persistently(lambda: server.work() // 0, give_up=server.leave, retries=2, wait=0.0)
    assert (server.begun, server.given_up) == (1, 0)


def test_who_is_away_is_waited_for_longer_each_time_up_to_a_limit() -> None:
    assert [pause(0.5, attempt) for attempt in range(4)] == [0.5, 1.0, 2.0, 4.0]
    assert pause(0.5, 30) == LONGEST_WAIT
