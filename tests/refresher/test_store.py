"""Storing the results of claims, on every database."""

from datetime import datetime, timedelta

import pytest

from productator.catalogue import offers as own_offers
from productator.catalogue import products
from productator.domain import OfferData, OwnOffer
from productator.errors import (
    OffersProtocolError,
    OffersServiceError,
    OffersUnavailable,
    ProductNotRegistered,
)
from productator.models.product import LAST_ERROR_LENGTH
from refresher.fetching.journey import FetchResult
from refresher.leases.claims import Claim
from refresher.leases.schedule import next_slot, on_grid
from refresher.metrics import StoreResult
from refresher.storing import batch
from refresher.storing.due_policy import DuePolicy
from tests import factories
from tests.refresher.builders import LEASE, NOW, PERIOD, offer, policy, result
from tests.refresher.rows import (
    Sessions,
    claimed,
    inserts_so_far,
    offer_rows,
    product_of,
    refresh_of,
    set_product,
    set_refresh,
    stored_offers,
    stored_products,
)

LATER = NOW + PERIOD / 10
UNAVAILABLE = OffersUnavailable("The Offers service answered 503 when reading offers.")
MALFORMED = OffersProtocolError("The offers are not a list.")
UNKNOWN = ProductNotRegistered("The Offers service does not know the product.")
FAILURES = [UNAVAILABLE, MALFORMED, UNKNOWN]


@pytest.fixture
def claim(sessions: Sessions) -> Claim:
    """A claimed product without offers."""
    stored_products(sessions, 1)
    return claimed(sessions)[0]


def apply(sessions: Sessions, *results: FetchResult, by: DuePolicy | None = None) -> StoreResult:
    with sessions.begin() as session:
        return batch.store(session, results, by or policy(), now=LATER)


def with_offers(sessions: Sessions, product_id: int, *remote_ids: str) -> None:
    for remote_id in remote_ids:
        factories.external_offer(sessions, product_id, remote_id=remote_id)


# --- offers


def test_new_offers_are_added(sessions: Sessions, claim: Claim) -> None:
    done = apply(sessions, result(claim, offer("1"), offer("2", price=0)))

    assert stored_offers(sessions, claim.product_id) == {offer("1"), offer("2", price=0)}
    assert (done.refreshed, done.added) == (1, 2)


def test_a_changed_offer_gets_its_new_values_and_a_new_version(sessions: Sessions, claim: Claim) -> None:
    with_offers(sessions, claim.product_id, "1")
    (before,) = offer_rows(sessions, claim.product_id)
    done = apply(sessions, result(claim, offer("1", price=120, items_in_stock=0)))
    (after,) = offer_rows(sessions, claim.product_id)

    assert after == (before[0], claim.product_id, "1", 120, 0, before[5] + 1, NOW, LATER)
    assert done.changed == 1


def test_an_offer_that_is_gone_is_removed(sessions: Sessions, claim: Claim) -> None:
    with_offers(sessions, claim.product_id, "1", "2")
    done = apply(sessions, result(claim, offer("2")))

    assert stored_offers(sessions, claim.product_id) == {offer("2")}
    assert done.removed == 1


def test_an_empty_answer_removes_all_external_offers(sessions: Sessions, claim: Claim) -> None:
    with_offers(sessions, claim.product_id, "1", "2")
    apply(sessions, result(claim))

    assert stored_offers(sessions, claim.product_id) == set()


def test_ids_that_differ_in_case_only_are_two_offers(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, result(claim, offer("a"), offer("A")))

    assert stored_offers(sessions, claim.product_id) == {offer("a"), offer("A")}


def test_the_largest_amounts_and_the_longest_ids_are_kept_exactly(sessions: Sessions, claim: Claim) -> None:
    largest = offer("z" * 64, price=2**53 - 1, items_in_stock=2**53 - 1)
    apply(sessions, result(claim, largest))

    assert stored_offers(sessions, claim.product_id) == {largest}


def test_one_remote_id_under_two_products_is_two_offers(sessions: Sessions) -> None:
    stored_products(sessions, 2)
    first, second = claimed(sessions)
    apply(sessions, result(first, offer("1", price=10)), result(second, offer("1", price=20)))

    assert stored_offers(sessions, first.product_id) == {offer("1", price=10)}
    assert stored_offers(sessions, second.product_id) == {offer("1", price=20)}


@pytest.mark.parametrize("changed", [[offer("1", price=30)], []], ids=["change", "removal"])
def test_a_change_of_an_offer_leaves_the_same_id_of_another_product_alone(
    sessions: Sessions, changed: list[OfferData]
) -> None:
    for product_id in stored_products(sessions, 2):
        with_offers(sessions, product_id, "1")
    first, second = claimed(sessions)
    apply(sessions, result(first, *changed), result(second, offer("1")))

    assert stored_offers(sessions, first.product_id) == set(changed)
    assert stored_offers(sessions, second.product_id) == {offer("1")}


def test_own_offers_are_never_touched(sessions: Sessions, claim: Claim) -> None:
    with sessions.begin() as session:
        own_offers.create(session, claim.product_id, OwnOffer(price=5, items_in_stock=1), now=NOW)
    before = offer_rows(sessions, claim.product_id)

    assert apply(sessions, result(claim)).removed == 0
    assert offer_rows(sessions, claim.product_id) == before


def test_unchanged_offers_are_not_written(sessions: Sessions, statements: list[str], claim: Claim) -> None:
    apply(sessions, result(claim, offer("1"), offer("2")))
    before = offer_rows(sessions, claim.product_id)
    (again,) = claimed(sessions, now=NOW + 2 * PERIOD)
    statements.clear()
    apply(sessions, result(again, offer("2"), offer("1")))

    assert offer_rows(sessions, claim.product_id) == before
    assert [each for each in statements if "offers" in each and not each.startswith("SELECT")] == []


def test_unchanged_offers_use_up_no_ids(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, result(claim, offer("1")))
    first = offer_rows(sessions, claim.product_id)[0][0]
    for turn in range(1, 4):
        (again,) = claimed(sessions, now=NOW + (turn + 1) * PERIOD)
        apply(sessions, result(again, offer("1")))
    next_id = factories.external_offer(sessions, claim.product_id)

    assert next_id == first + 1


# SQLite counts no statements.
@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_many_new_offers_are_one_insert_a_table(sessions: Sessions) -> None:
    stored_products(sessions, 20)
    claims = claimed(sessions)
    results = [result(each, *(offer(str(number)) for number in range(50))) for each in claims]
    with sessions.begin() as session:
        before = inserts_so_far(session)
        batch.store(session, results, policy(), now=LATER)

        # Offers, their changes, and the summaries of the products.
        assert inserts_so_far(session) - before == 3


def test_more_offers_than_fit_one_statement_are_stored(sessions: Sessions, claim: Claim) -> None:
    many = [offer(str(number)) for number in range(10_000)]
    apply(sessions, result(claim, *many))
    (again,) = claimed(sessions, now=NOW + 2 * PERIOD)
    done = apply(sessions, result(again, *many[:1]))

    assert done.removed == 9_999
    assert stored_offers(sessions, claim.product_id) == {many[0]}


# --- claims that are not ours any more


def test_a_claim_that_was_lost_meanwhile_writes_nothing(sessions: Sessions, claim: Claim) -> None:
    with_offers(sessions, claim.product_id, "1")
    (theirs,) = claimed(sessions, now=NOW + LEASE)
    done = apply(sessions, result(claim, offer("2"), newly_registered=True))

    assert (done.lost, done.refreshed, done.registered) == (1, 0, 0)
    assert stored_offers(sessions, claim.product_id) == {offer("1")}
    assert product_of(sessions, claim.product_id).registered_at is None
    assert refresh_of(sessions, claim.product_id).claim_token == theirs.token


def test_a_result_that_was_stored_already_is_not_stored_again(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, result(claim, offer("1")))

    assert apply(sessions, result(claim, offer("2"))).lost == 1
    assert stored_offers(sessions, claim.product_id) == {offer("1")}


def test_of_two_claims_of_one_product_only_the_newer_is_stored(sessions: Sessions, claim: Claim) -> None:
    (newer,) = claimed(sessions, now=NOW + LEASE)
    done = apply(sessions, result(newer, offer("2")), result(claim, offer("1")))

    assert (done.refreshed, done.lost) == (1, 1)
    assert stored_offers(sessions, claim.product_id) == {offer("2")}


def test_a_product_that_was_deleted_meanwhile_is_no_failure(sessions: Sessions) -> None:
    gone, _ = stored_products(sessions, 2)
    claims = claimed(sessions)
    with sessions.begin() as session:
        products.remove(session, gone)
    done = apply(sessions, *(result(each, offer()) for each in claims))

    assert (done.lost, done.refreshed) == (1, 1)


def test_the_latest_product_of_a_batch_says_how_late_it_was(sessions: Sessions) -> None:
    stored_products(sessions, 1, now=LATER - 3 * PERIOD)
    stored_products(sessions, 1)
    done = apply(sessions, *(result(each) for each in claimed(sessions)))

    assert done.late_s == (3 * PERIOD).total_seconds()


# --- answers that came before


def digest_of(sessions: Sessions, claim: Claim) -> str | None:
    return refresh_of(sessions, claim.product_id).answer_digest


def answered(claim: Claim, digest: str, *offers: OfferData) -> FetchResult:
    return FetchResult(claim, list(offers), answer_digest=digest)


def test_a_claim_says_which_answer_the_stored_offers_are_from(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, answered(claim, "a", offer("1")))

    assert claimed(sessions, now=NOW + 2 * PERIOD)[0].answer_digest == "a"


def test_without_any_offers_the_answer_is_remembered_too(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, answered(claim, "a"))

    assert digest_of(sessions, claim) == "a"


def test_of_many_products_each_has_its_own_answer(sessions: Sessions) -> None:
    stored_products(sessions, 250)
    claims = claimed(sessions)
    apply(
        sessions,
        *(answered(each, str(each.product_id), offer("1", price=each.product_id)) for each in claims),
    )

    assert [digest_of(sessions, each) for each in claims] == [str(each.product_id) for each in claims]


def test_an_answer_that_came_before_leaves_offers_alone(
    sessions: Sessions, statements: list[str], claim: Claim
) -> None:
    apply(sessions, answered(claim, "a", offer("1")))
    (again,) = claimed(sessions, now=NOW + 2 * PERIOD)
    statements.clear()
    done = apply(sessions, FetchResult(again, None, answer_digest="a"))

    assert done.refreshed == 1
    assert [each for each in statements if "offers" in each] == []
    assert stored_offers(sessions, claim.product_id) == {offer("1")}


def test_the_same_offers_in_other_bytes_are_not_written(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, answered(claim, "a", offer("1")))
    (again,) = claimed(sessions, now=NOW + 2 * PERIOD)
    apply(sessions, answered(again, "b", offer("1")))

    assert digest_of(sessions, claim) == "a"


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_after_a_failure_the_stored_offers_are_still_from_the_same_answer(
    sessions: Sessions, claim: Claim, error: OffersServiceError
) -> None:
    apply(sessions, answered(claim, "a", offer("1")))
    (again,) = claimed(sessions, now=NOW + 2 * PERIOD)
    apply(sessions, result(again, error=error))

    assert digest_of(sessions, claim) == "a"


# --- registration


def test_a_new_registration_is_kept(sessions: Sessions, claim: Claim) -> None:
    done = apply(sessions, result(claim, offer(), newly_registered=True))

    assert product_of(sessions, claim.product_id).registered_at == LATER
    assert done.registered == 1


def test_a_registration_is_kept_although_reading_failed(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, result(claim, error=UNAVAILABLE, newly_registered=True))

    assert product_of(sessions, claim.product_id).registered_at == LATER


def test_reading_alone_leaves_the_time_of_the_registration(sessions: Sessions, claim: Claim) -> None:
    set_product(sessions, claim.product_id, registered_at=NOW)
    apply(sessions, result(claim, offer()))

    assert product_of(sessions, claim.product_id).registered_at == NOW


def test_an_unknown_product_is_pending_again_and_due_soon(sessions: Sessions, claim: Claim) -> None:
    set_product(sessions, claim.product_id, registered_at=NOW)
    apply(sessions, result(claim, error=UNKNOWN))

    assert product_of(sessions, claim.product_id).registered_at is None
    assert LATER < refresh_of(sessions, claim.product_id).due_at <= LATER + timedelta(seconds=0.1)


def test_a_product_that_stays_unknown_is_not_asked_for_again_and_again(
    sessions: Sessions, claim: Claim
) -> None:
    set_refresh(sessions, claim.product_id, failures=1)
    (again,) = claimed(sessions, now=NOW + LEASE)
    apply(sessions, result(again, error=UNKNOWN, newly_registered=True))

    assert refresh_of(sessions, claim.product_id).due_at == LATER + 2 * PERIOD
    assert product_of(sessions, claim.product_id).registered_at is None


# --- the next due time


def slot_of(claim: Claim) -> datetime:
    return next_slot(claim.product_id, now=LATER, period=PERIOD)


def test_a_success_makes_the_product_due_at_its_next_slot(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, result(claim, offer()))
    row = refresh_of(sessions, claim.product_id)

    assert (row.due_at, row.refreshed_at, row.claim_token) == (slot_of(claim), LATER, None)
    assert (row.failures, row.last_error) == (0, None)


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_a_failure_is_counted_and_stored_and_ends_the_claim(
    sessions: Sessions, claim: Claim, error: OffersServiceError
) -> None:
    done = apply(sessions, result(claim, error=error))
    row = refresh_of(sessions, claim.product_id)

    assert (row.failures, row.last_error, row.claim_token) == (1, str(error), None)
    assert row.refreshed_at is None
    assert (done.failed, done.errors) == (1, [(claim.product_id, str(error))])


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_no_failure_touches_an_offer(sessions: Sessions, claim: Claim, error: OffersServiceError) -> None:
    with_offers(sessions, claim.product_id, "1", "2")
    before = offer_rows(sessions, claim.product_id)
    apply(sessions, result(claim, error=error))

    assert offer_rows(sessions, claim.product_id) == before


def test_a_success_ends_a_row_of_failures(sessions: Sessions, claim: Claim) -> None:
    set_refresh(sessions, claim.product_id, failures=4, last_error="The offers are not a list.")
    (again,) = claimed(sessions, now=NOW + LEASE)
    apply(sessions, result(again, offer()))
    row = refresh_of(sessions, claim.product_id)

    assert (row.failures, row.last_error) == (0, None)


def test_while_the_service_fails_a_product_keeps_its_rhythm(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, result(claim, error=UNAVAILABLE), by=policy(service_failing=True))
    row = refresh_of(sessions, claim.product_id)

    assert (row.due_at, row.failures) == (slot_of(claim), 0)


def test_a_long_error_is_cut(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, result(claim, error=OffersProtocolError("é" * 10_000)))

    assert refresh_of(sessions, claim.product_id).last_error == "é" * LAST_ERROR_LENGTH


def test_in_a_batch_each_product_has_its_own_result(sessions: Sessions) -> None:
    stored_products(sessions, 3)
    good, bad, unknown = claimed(sessions)
    done = apply(
        sessions, result(unknown, error=UNKNOWN), result(bad, error=MALFORMED), result(good, offer())
    )

    assert (done.refreshed, done.failed) == (1, 2)
    assert [refresh_of(sessions, each.product_id).failures for each in (good, bad, unknown)] == [0, 1, 1]


def test_products_of_one_slot_are_scheduled_in_one_statement(
    sessions: Sessions, statements: list[str]
) -> None:
    stored_products(sessions, 50)
    claims = claimed(sessions)
    statements.clear()
    apply(sessions, *(result(each) for each in claims))

    scheduling = [each for each in statements if each.startswith("UPDATE refreshes") and "due_at" in each]
    assert len(scheduling) == len({slot_of(each) for each in claims}) <= 50 / 10


# --- refreshes that are asked for while one is under way


def asked_for(sessions: Sessions, claim: Claim) -> Claim:
    with sessions.begin() as session:
        products.refresh_now(session, claim.product_id, now=claim.slot + PERIOD / 20)
    return claim


def test_a_refresh_that_was_asked_for_follows_the_one_under_way_at_once(
    sessions: Sessions, claim: Claim
) -> None:
    done = apply(sessions, result(asked_for(sessions, claim), offer("1")))
    row = refresh_of(sessions, claim.product_id)

    assert (done.refreshed, done.lost) == (1, 0)
    assert stored_offers(sessions, claim.product_id) == {offer("1")}
    assert (row.due_at, row.due_again, row.claim_token) == (on_grid(LATER), False, None)


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_no_failure_delays_a_refresh_that_was_asked_for(
    sessions: Sessions, claim: Claim, error: OffersServiceError
) -> None:
    set_refresh(sessions, claim.product_id, failures=4)
    (again,) = claimed(sessions, now=NOW + LEASE)
    apply(sessions, result(asked_for(sessions, again), error=error))
    row = refresh_of(sessions, claim.product_id)

    assert (row.due_at, row.due_again, row.failures) == (on_grid(LATER), False, 5)


def test_a_product_that_is_asked_for_again_and_again_is_stored_each_time(sessions: Sessions) -> None:
    stored_products(sessions, 1)

    def refreshed(price: int) -> set[OfferData]:
        (claim,) = claimed(sessions, now=LATER)
        apply(sessions, result(asked_for(sessions, claim), offer("1", price=price)))
        return stored_offers(sessions, claim.product_id)

    assert [refreshed(price) for price in range(3)] == [{offer("1", price=price)} for price in range(3)]


def test_what_was_asked_for_once_is_done_once_more(sessions: Sessions, claim: Claim) -> None:
    apply(sessions, result(asked_for(sessions, claim)))
    (again,) = claimed(sessions, now=LATER)
    apply(sessions, result(again))

    assert refresh_of(sessions, claim.product_id).due_at == slot_of(claim)


def test_of_a_batch_only_what_was_asked_for_is_due_at_once(sessions: Sessions) -> None:
    stored_products(sessions, 2)
    first, second = claimed(sessions)
    apply(sessions, result(asked_for(sessions, first)), result(second))

    due = [refresh_of(sessions, each.product_id).due_at for each in (first, second)]
    assert due == [on_grid(LATER), slot_of(second)]


@pytest.mark.parametrize(
    ("digest", "offers"), [("a", None), ("b", [offer("1", price=7)])], ids=["same answer", "another answer"]
)
def test_a_refresh_that_was_asked_for_compares_all_offers(
    sessions: Sessions, claim: Claim, digest: str, offers: list[OfferData] | None
) -> None:
    apply(sessions, answered(claim, "a", offer("1")))
    (again,) = claimed(sessions, now=NOW + 2 * PERIOD)
    apply(sessions, FetchResult(asked_for(sessions, again), offers, answer_digest=digest))

    assert claimed(sessions, now=LATER)[0].answer_digest is None


def test_who_claims_it_next_does_what_was_asked_for(sessions: Sessions, claim: Claim) -> None:
    asked_for(sessions, claim)
    (theirs,) = claimed(sessions, now=NOW + LEASE)

    assert apply(sessions, result(claim)).lost == 1
    assert apply(sessions, result(theirs)).lost == 0
    assert refresh_of(sessions, claim.product_id).due_at > LATER


def test_offers_count_as_fresh_since_they_were_read(sessions: Sessions, claim: Claim) -> None:
    late = result(claim, offer())
    late.read_at = LATER - PERIOD
    apply(sessions, late)

    assert refresh_of(sessions, claim.product_id).refreshed_at == LATER - PERIOD
