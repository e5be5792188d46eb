"""When a delivery is tried again."""

import random
from datetime import timedelta

import pytest

from notifier.queue.schedule import PAUSES, pause_after


@pytest.mark.parametrize("attempts", range(1, 8))
def test_each_pause_is_the_one_of_the_schedule_give_or_take_a_fifth(attempts: int) -> None:
    pause = pause_after(attempts, retry_after=None, chance=random.Random(attempts))

    assert pause is not None
    assert 0.8 <= pause / PAUSES[attempts - 1] <= 1.2


def test_there_are_eight_tries() -> None:
    assert pause_after(8, retry_after=None, chance=random.Random(1)) is None


@pytest.mark.parametrize(("asked_s", "least_s", "most_s"), [(60, 60, 60), (86_400, 300, 300), (1, 4, 6)])
def test_a_receiver_gets_the_time_that_it_asks_for_up_to_the_next_step(
    asked_s: int, least_s: int, most_s: int
) -> None:
    pause = pause_after(1, retry_after=timedelta(seconds=asked_s), chance=random.Random(1))

    assert pause is not None
    assert timedelta(seconds=least_s) <= pause <= timedelta(seconds=most_s)
