"""Pauses between attempts to reach a database that is away."""

from refresher.backoff import Backoff


def test_before_the_first_attempt_there_is_no_pause_and_no_success() -> None:
    backoff = Backoff()

    assert (backoff.is_over, backoff.has_succeeded, backoff.failures) == (True, False, 0)


def test_a_failure_starts_a_pause() -> None:
    backoff = Backoff()
    backoff.failed()

    assert (backoff.is_over, backoff.has_succeeded, backoff.failures) == (False, False, 1)


def test_a_success_ends_it() -> None:
    backoff = Backoff()
    backoff.failed()
    backoff.succeeded()

    assert (backoff.is_over, backoff.has_succeeded, backoff.failures) == (True, True, 0)


def test_failures_in_a_row_are_counted_without_end() -> None:
    backoff = Backoff()
    for _ in range(2_000):
        backoff.failed()

    assert backoff.failures == 2_000
