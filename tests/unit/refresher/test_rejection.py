"""Is the access token or the product at fault for a 401?"""

import pytest

from refresher.fetching.rejection import Fault, Rejections

WAIT_S = 5.0


@pytest.fixture
def rejections() -> Rejections[str]:
    """One call was answered 401."""
    rejections: Rejections[str] = Rejections(wait_s=WAIT_S)
    rejections.add("call 1", product="product 1", now=100.0)
    return rejections


def test_a_check_that_is_answered_401_as_well_shows_that_the_token_is_at_fault(
    rejections: Rejections[str],
) -> None:
    rejections.check_with("check")

    assert rejections.fault_shown_by("check", status=401) is Fault.TOKEN


@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_check_that_is_answered_otherwise_shows_that_the_product_is_at_fault(
    rejections: Rejections[str], status: int
) -> None:
    rejections.check_with("check")

    assert rejections.fault_shown_by("check", status=status) is Fault.PRODUCT


def test_without_an_answer_to_the_check_the_token_is_not_at_fault(rejections: Rejections[str]) -> None:
    rejections.check_with("check")

    assert rejections.fault_shown_by("check", status=None) is Fault.PRODUCT


@pytest.mark.parametrize("status", [200, 401])
def test_other_calls_show_nothing(rejections: Rejections[str], status: int) -> None:
    rejections.check_with("check")

    assert rejections.fault_shown_by("call 2", status=status) is None
    assert rejections.is_checking


def test_without_a_check_no_call_shows_anything(rejections: Rejections[str]) -> None:
    assert not rejections.is_checking
    assert rejections.fault_shown_by("call 1", status=401) is None


def test_a_check_ends_with_its_reply(rejections: Rejections[str]) -> None:
    rejections.check_with("check")
    rejections.fault_shown_by("check", status=200)

    assert not rejections.is_checking
    assert rejections.fault_shown_by("check", status=200) is None


def test_another_product_can_be_the_check_and_a_rejected_one_cannot(rejections: Rejections[str]) -> None:
    assert rejections.can_check_with("product 2")
    assert not rejections.can_check_with("product 1")


def test_a_call_waits_for_another_product_for_a_while(rejections: Rejections[str]) -> None:
    assert not rejections.has_waited(now=100.0 + WAIT_S - 0.1)
    assert rejections.has_waited(now=100.0 + WAIT_S)


def test_later_rejections_do_not_prolong_the_wait_of_the_first(rejections: Rejections[str]) -> None:
    rejections.add("call 2", product="product 2", now=103.0)

    assert rejections.has_waited(now=100.0 + WAIT_S)


def test_calls_that_are_taken_wait_no_longer(rejections: Rejections[str]) -> None:
    rejections.add("call 2", product="product 2", now=103.0)

    assert len(rejections) == 2
    assert rejections.take() == ["call 1", "call 2"]
    assert len(rejections) == 0
    assert rejections.can_check_with("product 1")


def test_the_next_rejection_after_that_waits_anew(rejections: Rejections[str]) -> None:
    rejections.take()
    rejections.add("call 3", product="product 3", now=200.0)

    assert not rejections.has_waited(now=200.0)


def test_a_check_that_is_repeated_shows_nothing_and_leaves_the_calls_waiting(
    rejections: Rejections[str],
) -> None:
    rejections.add("rejected", product="a", now=0.0)
    rejections.check_with("check")
    rejections.repeat_check("check")

    assert not rejections.is_checking
    assert rejections.fault_shown_by("check", status=401) is None
    assert "rejected" in rejections.take()


def test_only_the_check_itself_is_repeated(rejections: Rejections[str]) -> None:
    rejections.check_with("check")
    rejections.repeat_check("another")

    assert rejections.is_checking
