"""Claims: leases on due products, on every database."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy.orm import sessionmaker

from productator.catalogue import products
from productator.database.engine import make_engine
from productator.database.transactions import run_transaction
from productator.models import Refresh
from refresher.leases.claims import (
    Claim,
    ClaimRequest,
    ClaimTransaction,
    give_back,
    make_delayed_products_due,
    recall_products_due_too_late,
)
from refresher.leases.schedule import LONGEST_PAUSE, Rhythm
from refresher.storing.batch import store
from tests.refresher.builders import LEASE, NOW, PERIOD, policy, result
from tests.refresher.rows import (
    Sessions,
    claimed,
    product_of,
    refresh_of,
    set_product,
    set_refresh,
    stored_products,
)

TENTH = PERIOD / 300


def test_a_new_product_is_claimed_with_what_to_register_it_with(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    product = product_of(sessions, product_id)
    (claim,) = claimed(sessions)

    assert claim == Claim(
        product_id, claim.token, NOW, 0, product.remote_id, None, (product.name, product.description)
    )


def test_a_registered_product_is_claimed_without(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    set_product(sessions, product_id, registered_at=NOW)

    assert claimed(sessions)[0].to_register is None


def test_a_product_that_is_not_due_yet_is_not_claimed(sessions: Sessions) -> None:
    stored_products(sessions, 1, now=NOW + TENTH)

    assert claimed(sessions) == []


def test_a_product_that_waited_longest_is_claimed_first(sessions: Sessions) -> None:
    for late in (1, 3, 2):
        stored_products(sessions, 1, now=NOW - late * PERIOD)

    assert [claimed(sessions, limit=1)[0].slot for _ in range(3)] == [
        NOW - late * PERIOD for late in (3, 2, 1)
    ]


def stored_known_products(sessions: Sessions, count: int, *, now: datetime = NOW) -> list[int]:
    """The ids of products that are registered, and due."""
    product_ids = stored_products(sessions, count, now=now)
    for product_id in product_ids:
        set_product(sessions, product_id, registered_at=NOW)
        set_refresh(sessions, product_id, pending=False)
    return product_ids


def test_registered_products_do_not_wait_behind_new_ones(sessions: Sessions) -> None:
    stored_products(sessions, 20, now=NOW - PERIOD)
    known = stored_known_products(sessions, 3)

    assert {*known} < {claim.product_id for claim in claimed(sessions, limit=4)}


def test_new_products_get_what_registered_ones_leave(sessions: Sessions) -> None:
    new = stored_products(sessions, 20)
    stored_known_products(sessions, 3)
    found = {claim.product_id for claim in claimed(sessions, limit=10)}

    assert len(found) == 10
    assert len(found & {*new}) == 7


def test_new_products_get_a_share_when_there_is_too_much_to_do(sessions: Sessions) -> None:
    stored_known_products(sessions, 20, now=NOW - PERIOD)
    new = stored_products(sessions, 20)

    assert len({*new} & {claim.product_id for claim in claimed(sessions, limit=8)}) == 2


def test_no_more_products_are_claimed_than_asked_for(sessions: Sessions) -> None:
    stored_products(sessions, 5)

    assert len(claimed(sessions, limit=3)) == 3
    assert len(claimed(sessions, limit=3)) == 2


def test_a_claimed_product_is_due_again_when_its_lease_ends(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    (claim,) = claimed(sessions)
    row = refresh_of(sessions, product_id)

    assert (row.claim_token, row.due_at) == (claim.token, NOW + LEASE)


def test_a_claimed_product_is_not_claimed_again(sessions: Sessions) -> None:
    stored_products(sessions, 3)
    claimed(sessions)

    assert claimed(sessions, now=NOW + LEASE - TENTH) == []


def test_a_product_whose_lease_has_ended_is_claimed_anew(sessions: Sessions) -> None:
    stored_products(sessions, 1)
    (first,) = claimed(sessions)
    (second,) = claimed(sessions, now=NOW + LEASE)

    assert second.product_id == first.product_id
    assert second.token != first.token


def test_a_claim_that_is_given_back_is_due_as_it_was(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    with sessions.begin() as session:
        give_back(session, claimed(sessions))
    row = refresh_of(sessions, product_id)

    assert (row.claim_token, row.due_at) == (None, NOW)


def test_a_claim_that_was_lost_meanwhile_cannot_be_given_back(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    lost = claimed(sessions)
    (theirs,) = claimed(sessions, now=NOW + LEASE)
    with sessions.begin() as session:
        give_back(session, lost)
    row = refresh_of(sessions, product_id)

    assert (row.claim_token, row.due_at) == (theirs.token, NOW + LEASE + LEASE)


def test_giving_back_a_product_that_was_deleted_meanwhile_does_nothing(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    lost = claimed(sessions)
    with sessions.begin() as session:
        products.remove(session, product_id)
    with sessions.begin() as session:
        give_back(session, lost)

    assert claimed(sessions, now=NOW + PERIOD) == []


def test_a_claim_lapses_a_lease_after_it_was_begun(sessions: Sessions) -> None:
    stored_products(sessions, 1)
    began = time.monotonic()
    (claim,) = claimed(sessions)

    assert began + LEASE.total_seconds() <= claim.lapses_at <= time.monotonic() + LEASE.total_seconds()


def test_a_claim_whose_commit_got_no_answer_is_found_again(sessions: Sessions) -> None:
    """Claimed with another token when it is run again, those products would be nobody's for a lease."""
    stored_products(sessions, 3)
    claim = ClaimTransaction(ClaimRequest(10, due_by=NOW), now=NOW, lease=LEASE)
    with sessions.begin() as session:
        first = claim(session)
    with sessions.begin() as session:
        again = claim(session)

    assert len(first) == 3
    assert by_id(again) == by_id(first)


def by_id(claims: list[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claim: claim.product_id)


def test_products_to_avoid_are_left_out_however_long_they_wait(sessions: Sessions) -> None:
    product_ids = [stored_products(sessions, 1, now=NOW - number * PERIOD)[0] for number in (3, 2, 1)]
    request = ClaimRequest(2, due_by=NOW, avoiding={product_ids[0]})
    with sessions.begin() as session:
        claims = ClaimTransaction(request, now=NOW, lease=LEASE)(session)

    assert [claim.product_id for claim in by_id(claims)] == product_ids[1:]


def test_a_service_that_is_down_is_probed_with_a_product_refreshed_lately(
    sessions: Sessions,
) -> None:
    product_ids = [stored_products(sessions, 1, now=NOW - number * PERIOD)[0] for number in (4, 3, 2, 1)]
    set_refresh(sessions, product_ids[1], refreshed_at=NOW - 3 * PERIOD)
    set_refresh(sessions, product_ids[2], refreshed_at=NOW - 2 * PERIOD)
    with sessions.begin() as session:
        (claim,) = ClaimTransaction(ClaimRequest(1, due_by=NOW, is_probe=True), now=NOW, lease=LEASE)(session)

    assert claim.product_id == product_ids[2]


def test_failures_travel_with_the_claim(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    set_refresh(sessions, product_id, failures=3)

    assert claimed(sessions)[0].failures == 3


def claim_until_nothing_is_due(url: str, start: Barrier) -> list[int]:
    """A worker with connections of its own; a short round may mean that another was quicker."""
    engine = make_engine(url)
    found: list[int] = []
    start.wait()
    for _ in range(120):
        claim = ClaimTransaction(ClaimRequest(7, due_by=NOW), now=NOW, lease=LEASE)
        found += [each.product_id for each in run_transaction(sessionmaker(engine), claim)]
    engine.dispose()
    return found


@pytest.mark.parametrize("workers", [2, 4])
def test_racing_workers_never_claim_the_same_product_and_together_claim_all(
    sessions: Sessions, database_url: str, workers: int
) -> None:
    product_ids = stored_products(sessions, 200)
    start = Barrier(workers)
    with ThreadPoolExecutor(workers) as pool:
        races = [pool.submit(claim_until_nothing_is_due, database_url, start) for _ in range(workers)]
        found = [product_id for race in races for product_id in race.result()]

    assert Counter(found) == Counter(product_ids)


# --- clocks that jump


def recalled(sessions: Sessions, product_id: int) -> bool:
    """Whether the product is due at once after `recall_products_due_too_late`."""
    with sessions.begin() as session:
        recall_products_due_too_late(session, now=NOW, rhythm=Rhythm(PERIOD, LEASE))
    return refresh_of(sessions, product_id).due_at <= NOW


@pytest.mark.parametrize("ahead", [PERIOD + timedelta(seconds=3), timedelta(hours=1), timedelta(days=365)])
@pytest.mark.parametrize("pending", [True, False])
def test_after_a_clock_was_set_back_what_is_due_far_ahead_is_due_now(
    sessions: Sessions, ahead: timedelta, pending: bool
) -> None:
    (product_id,) = stored_products(sessions, 1)
    set_refresh(sessions, product_id, due_at=NOW + ahead, pending=pending)

    assert recalled(sessions, product_id)


def test_what_is_due_within_a_period_is_left_alone(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1, now=NOW + PERIOD)

    assert not recalled(sessions, product_id)


def test_a_delayed_product_stays_delayed(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    set_refresh(sessions, product_id, due_at=NOW + LONGEST_PAUSE, failures=9)

    assert not recalled(sessions, product_id)


def test_a_product_delayed_before_the_clock_was_set_back_is_due_now(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    set_refresh(sessions, product_id, due_at=NOW + timedelta(hours=1), failures=9)

    assert recalled(sessions, product_id)


def test_a_claim_is_not_recalled(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    with sessions.begin() as session:
        ClaimTransaction(ClaimRequest(1, due_by=NOW), now=NOW, lease=10 * PERIOD)(session)

    assert not recalled(sessions, product_id)


def test_a_claim_from_before_the_clock_was_set_back_lapses(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1, now=NOW + timedelta(hours=1))
    claimed(sessions, now=NOW + timedelta(hours=1))

    assert recalled(sessions, product_id)
    assert refresh_of(sessions, product_id).claim_token is None


def test_after_a_clock_was_set_forward_everything_is_due_once(sessions: Sessions) -> None:
    product_ids = stored_products(sessions, 3)
    claims = claimed(sessions, now=NOW + timedelta(days=1))
    with sessions.begin() as session:
        store(session, [result(each) for each in claims], policy(), now=NOW + timedelta(days=1))

    assert len(claims) == len(product_ids)
    assert claimed(sessions, now=NOW + timedelta(days=1)) == []


# --- products that failures have delayed


def made_due(sessions: Sessions, *product_ids: int) -> list[int]:
    """The products that are due after `make_delayed_products_due`."""
    with sessions.begin() as session:
        make_delayed_products_due(session, now=NOW, period=PERIOD)
    return [each for each in product_ids if refresh_of(sessions, each).due_at <= NOW]


def test_after_a_recovery_products_that_had_failed_are_due_now(sessions: Sessions) -> None:
    failed, other = stored_products(sessions, 2, now=NOW + 10 * PERIOD)
    set_refresh(sessions, failed, failures=2)

    assert made_due(sessions, failed, other) == [failed]


def test_a_recovery_leaves_products_alone_that_are_due_within_a_period(sessions: Sessions) -> None:
    (failed,) = stored_products(sessions, 1, now=NOW + PERIOD)
    set_refresh(sessions, failed, failures=2)

    assert made_due(sessions, failed) == []


def test_a_recovery_takes_no_claim_away(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    claimed(sessions)
    set_refresh(sessions, product_id, failures=2)

    assert made_due(sessions, product_id) == []


# --- refreshes that are asked for


def asked_for(sessions: Sessions, product_id: int, *, now: datetime) -> Refresh:
    with sessions.begin() as session:
        products.refresh_now(session, product_id, now=now)
    return refresh_of(sessions, product_id)


def test_a_delayed_product_is_due_when_it_is_asked_for(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1, now=NOW + PERIOD)
    row = asked_for(sessions, product_id, now=NOW)

    assert (row.due_at, row.due_again) == (NOW, False)


def test_a_product_that_waits_keeps_its_place_however_often_it_is_asked_for(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    row = asked_for(sessions, product_id, now=NOW + TENTH)

    assert (row.due_at, row.due_again) == (NOW, False)


def test_a_product_that_is_asked_for_stays_claimed(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    (claim,) = claimed(sessions)
    row = asked_for(sessions, product_id, now=NOW + TENTH)

    assert (row.claim_token, row.due_at, row.due_again) == (claim.token, NOW + LEASE, True)


def test_a_product_whose_claim_has_lapsed_is_free_when_it_is_asked_for(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    claimed(sessions)
    asked_for(sessions, product_id, now=NOW + TENTH)
    row = asked_for(sessions, product_id, now=NOW + LEASE)

    assert (row.claim_token, row.due_at, row.due_again) == (None, NOW + LEASE, False)


def test_a_refresh_asked_for_compares_all_offers_with_those_stored(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    with sessions.begin() as session:
        session.get_one(Refresh, product_id).answer_digest = "of the last answer"
    with sessions.begin() as session:
        products.refresh_now(session, product_id, now=NOW)

    (claim,) = claimed(sessions)
    assert claim.answer_digest is None
