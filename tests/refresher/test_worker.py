"""The whole worker, with real databases, the simulator of either generation, and all its faults."""

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select

from productator.domain import OfferData, utc_now
from productator.models import Refresh
from productator.workers.stopping import StopFlag
from refresher import worker as worker_module
from refresher.fetching.circuit_breaker import CircuitBreaker
from refresher.fetching.fetcher import Fetched
from refresher.fetching.journey import FetchResult
from refresher.leases.claims import Claim
from refresher.leases.leases import Leases
from refresher.leases.schedule import Rhythm
from refresher.metrics import Metrics
from refresher.storing.writer import BatchWriter
from refresher.worker import Worker
from simulator.options import DEFAULT_REFRESH_TOKEN
from simulator.rules import FAULT_KINDS
from tests.marks import SENDS_NO_SQL
from tests.refresher.builders import offer
from tests.refresher.rows import (
    LostSessions,
    Sessions,
    offer_rows,
    refresh_of,
    stored_offers,
    stored_products,
)
from tests.refresher.service import (
    CONCURRENCY,
    IDLE_S,
    LEASE,
    PATIENCE_S,
    PERIOD,
    SHORT_S,
    Installation,
    turn,
    turn_until,
)
from tests.simulator.conftest import RunningSimulator

PRODUCTS = 20
QUICK = timedelta(seconds=0.5)
LEGAL = {"empty", "extra_fields"}
# One offer is wrong, and refused alone.
SPOILING = ("wrong_types", "negative", "huge", "missing_field")


@pytest.fixture
def installation1(sessions: Sessions, generation1: RunningSimulator) -> Installation:
    return Installation(sessions, generation1, None)


@pytest.fixture
def installation2(sessions: Sessions, generation2: RunningSimulator) -> Installation:
    return Installation(sessions, generation2, DEFAULT_REFRESH_TOKEN)


@pytest.fixture(params=["installation1", "installation2"], ids=["1", "2"])
def installation(request: pytest.FixtureRequest, sessions: Sessions) -> Installation:
    """Either generation of the service."""
    found: Installation = request.getfixturevalue(request.param)
    return found


def in_turn(*values: str) -> pytest.MarkDecorator:
    """Each value with one generation, in turn: each sees half of them, which is quicker than all twice."""
    pairs = list(zip(values, cycle(["installation1", "installation2"]), strict=False))
    return pytest.mark.parametrize(("kind", "installation"), pairs, indirect=["installation"])


# --- without faults


def test_new_products_become_registered_and_have_the_services_offers(
    installation: Installation,
) -> None:
    installation.new_products(PRODUCTS)

    assert installation.refresh_once()
    assert installation.count_pending() == 0
    assert installation.is_fresh()


def test_each_product_is_registered_and_read_once(installation: Installation) -> None:
    installation.new_products(PRODUCTS)
    installation.refresh_once()

    assert (installation.calls("register"), installation.calls("offers")) == (
        {"201": PRODUCTS},
        {"200": PRODUCTS},
    )


def test_a_registered_product_is_only_read(installation2: Installation) -> None:
    installation2.refreshed_products(PRODUCTS)
    installation2.refresh_once()

    assert (installation2.calls("register"), installation2.calls("auth")) == ({}, {})
    assert installation2.calls("offers") == {"200": PRODUCTS}


def test_when_the_market_moves_the_stored_offers_follow(installation: Installation) -> None:
    installation.refreshed_products(PRODUCTS)
    installation.simulator.control("POST", "tick", {"ticks": 40})
    assert not installation.is_fresh()

    assert installation.refresh_once()
    assert installation.is_fresh()


def test_without_changes_only_the_schedule_is_written(
    installation2: Installation, statements: list[str]
) -> None:
    installation2.refreshed_products(PRODUCTS)
    statements.clear()
    installation2.refresh_once()
    writing = {each.split(" SET ")[0] for each in statements if not each.startswith(("SELECT", "BEGIN"))}

    assert writing == {"UPDATE refreshes"}


def test_without_due_products_the_service_is_not_called(installation2: Installation) -> None:
    stored_products(installation2.sessions, PRODUCTS, now=utc_now() + PERIOD)

    assert installation2.refresh_once()
    assert installation2.calls("auth") == {}


def test_two_workers_share_the_products(installation2: Installation) -> None:
    installation2.refreshed_products(3 * PRODUCTS)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: installation2.refresh_once(), range(2)))

    assert done == [True, True]
    assert installation2.calls("offers") == {"200": 3 * PRODUCTS}


# --- when the service has a fault


@in_turn(*sorted(set(FAULT_KINDS) - LEGAL - set(SPOILING) - {"latency"}))
def test_no_fault_touches_a_stored_offer_and_without_it_all_is_fresh(
    installation: Installation, kind: str
) -> None:
    product_ids = installation.refreshed_products(PRODUCTS)
    before = [offer_rows(installation.sessions, each) for each in product_ids]
    installation.simulator.control("POST", "tick", {"ticks": 40})
    installation.simulator.set_faults({"kind": kind})
    assert not installation.refresh_once(timeout_s=SHORT_S)
    assert [offer_rows(installation.sessions, each) for each in product_ids] == before

    installation.simulator.set_faults()
    installation.make_due()
    installation.forget_failed_renewals()
    with installation.worker() as worker:
        turn_until(worker, installation.is_fresh)


@in_turn(*[f"{kind} {field}" for kind in SPOILING for field in ("price", "items_in_stock")])
def test_a_spoilt_offer_stays_as_it_was_while_the_others_are_fresh(
    installation: Installation, kind: str
) -> None:
    fault, field = kind.split()
    product_ids = installation.refreshed_products(PRODUCTS)
    before = installation.offers()
    installation.simulator.control("POST", "tick", {"ticks": 40})
    installation.simulator.set_faults({"kind": fault, "field": field})
    installation.refresh_once()

    truths = {each: installation.truth_in_order(each) for each in product_ids}
    assert installation.offers() == {
        each: before[each] if len(truth) < 2 else {*truth[:-1], *of_id(before[each], truth[-1].id)}
        for each, truth in truths.items()
    }
    refresh = next(refresh_of(installation.sessions, each) for each in product_ids if len(truths[each]) > 1)
    assert (refresh.failures, refresh.answer_digest) == (0, None)
    assert f"its {field} is not a whole number" in (refresh.last_error or "")

    installation.simulator.set_faults()
    installation.make_due()
    assert installation.refresh_once()
    assert installation.is_fresh()
    assert {refresh_of(installation.sessions, each).last_error for each in product_ids} == {None}


def test_while_an_offer_has_no_id_no_offer_is_removed(installation2: Installation) -> None:
    product_ids = installation2.refreshed_products(PRODUCTS)
    before = installation2.offers()
    installation2.simulator.control("POST", "tick", {"ticks": 40})
    installation2.simulator.set_faults({"kind": "missing_field", "field": "id"})
    installation2.refresh_once()

    stored = installation2.offers()
    assert all(ids_of(stored[each]) >= ids_of(before[each]) for each in product_ids)
    assert all(stored[each] >= set(installation2.truth_in_order(each)[:-1]) for each in product_ids)
    assert stored != before


def of_id(offers: Iterable[OfferData], offer_id: str) -> set[OfferData]:
    return {each for each in offers if each.id == offer_id}


def ids_of(offers: Iterable[OfferData]) -> set[str]:
    return {each.id for each in offers}


@pytest.mark.parametrize("calls", [["register"], ["auth"]])
@in_turn("status", "timeout", "html", "unauthorized")
def test_a_fault_of_registering_or_of_tokens_leaves_new_products_pending(
    installation: Installation, kind: str, calls: list[str]
) -> None:
    installation.new_products(PRODUCTS)
    installation.simulator.set_faults({"kind": kind, "calls": calls})
    # A registration's answer is not read: its status says all.
    assert installation.refresh_once(timeout_s=1) is ((kind, calls) == ("html", ["register"]))


def test_a_late_answer_counts(installation2: Installation) -> None:
    installation2.new_products(PRODUCTS)
    installation2.simulator.set_faults({"kind": "latency", "seconds": 0.1})

    assert installation2.refresh_once()
    assert installation2.is_fresh()


def test_unknown_fields_do_not_matter(installation2: Installation) -> None:
    installation2.new_products(PRODUCTS)
    installation2.simulator.set_faults({"kind": "extra_fields"})

    assert installation2.refresh_once()
    assert installation2.is_fresh()


def test_an_empty_list_removes_the_offers(installation2: Installation) -> None:
    installation2.refreshed_products(PRODUCTS)
    installation2.simulator.set_faults({"kind": "empty"})

    assert installation2.refresh_once()
    assert set(map(frozenset, installation2.offers().values())) == {frozenset()}


def test_a_registration_whose_answer_was_lost_is_made_again_and_counts(installation: Installation) -> None:
    installation.new_products(PRODUCTS)
    installation.simulator.set_faults({"kind": "close", "calls": ["register"], "arrives": True, "times": 4})
    installation.refresh_once()
    installation.make_due()

    assert installation.refresh_once()
    assert installation.is_fresh()


def test_lost_registrations_are_made_again(installation: Installation) -> None:
    installation.refreshed_products(PRODUCTS)
    installation.simulator.control("POST", "forget")
    with installation.worker() as worker:
        turn_until(worker, lambda: installation.calls("register") == {"201": PRODUCTS})
        turn_until(worker, lambda: installation.count_pending() == 0)

    assert installation.is_fresh()


def test_a_lost_token_is_replaced_once_and_all_products_are_known_again(installation: Installation) -> None:
    installation.refreshed_products(PRODUCTS)
    installation.age_token()
    installation.simulator.control("POST", "expire")
    installation.simulator.control("POST", "tick", {"ticks": 40})
    with installation.worker() as worker:
        turn_until(worker, installation.is_fresh)

    assert installation.calls("auth") == {"201": 1}


def test_a_clock_that_is_ahead_of_the_services_fails_no_product(installation2: Installation) -> None:
    installation2.refreshed_products(PRODUCTS)
    installation2.let_token_expire()

    assert installation2.refresh_once()
    assert installation2.calls("offers") == {"200": PRODUCTS}


# --- one product's failure


def test_one_malformed_product_leaves_the_others_alone(installation2: Installation) -> None:
    product_ids = installation2.refreshed_products(PRODUCTS)
    bad = product_ids[0]
    kept = offer_rows(installation2.sessions, bad)
    installation2.simulator.control("POST", "tick", {"ticks": 40})
    strike(installation2, "wrong_shape", [bad])
    assert not installation2.refresh_once()

    assert offer_rows(installation2.sessions, bad) == kept
    assert {**installation2.offers(), bad: set()} == {**installation2.true_offers(), bad: set()}


def test_many_malformed_products_in_a_row_do_not_stop_the_others(installation2: Installation) -> None:
    product_ids = installation2.refreshed_products(PRODUCTS)
    strike(installation2, "duplicate_ids", product_ids[:10])
    installation2.refresh_once()

    assert installation2.calls("offers") == {"200": PRODUCTS}
    assert [refresh_of(installation2.sessions, each).failures for each in product_ids[10:]] == [0] * 10


def test_one_product_that_times_out_leaves_the_others_alone(installation2: Installation) -> None:
    product_ids = installation2.refreshed_products(PRODUCTS)
    strike(installation2, "timeout", product_ids[:1])
    installation2.refresh_once(timeout_s=2)

    assert installation2.calls("offers") == {"200": PRODUCTS - 1, "none": 1}


def test_a_product_that_cannot_be_registered_leaves_the_others_alone(installation2: Installation) -> None:
    product_ids = installation2.new_products(PRODUCTS)
    remote_ids = installation2.remote_ids(product_ids[:1])
    installation2.simulator.set_faults(
        {"kind": "status", "status": 400, "calls": ["register"], "products": remote_ids}
    )
    installation2.refresh_once()

    assert installation2.count_pending() == 1
    assert refresh_of(installation2.sessions, product_ids[0]).failures == 1


def strike(installation: Installation, kind: str, product_ids: list[int]) -> None:
    rule = {"kind": kind, "products": installation.remote_ids(product_ids), "calls": ["offers"]}
    installation.simulator.set_faults(rule)


# --- a service that is down


def test_a_service_that_is_down_is_not_stormed(installation2: Installation) -> None:
    installation2.refreshed_products(10 * PRODUCTS)
    installation2.simulator.set_faults({"kind": "status"})
    with installation2.worker(probe_every_s=3_600) as worker:
        turn(worker, 60)

    # The calls that were under way when the fifth failure came are the last ones.
    assert 5 <= sum(installation2.calls("offers").values()) <= 5 + 2 * CONCURRENCY


def test_a_service_that_rejects_every_token_is_not_stormed(installation: Installation) -> None:
    installation.refreshed_products(10 * PRODUCTS)
    installation.simulator.set_faults({"kind": "unauthorized", "calls": ["register", "offers"]})
    with installation.worker(probe_every_s=3_600) as worker:
        turn(worker, 60)

    assert sum(installation.calls("offers").values()) <= 5 + 2 * CONCURRENCY


def test_claims_that_a_service_that_is_down_cannot_serve_are_given_back(
    installation2: Installation,
) -> None:
    product_ids = installation2.refreshed_products(10 * PRODUCTS)
    installation2.simulator.set_faults({"kind": "status"})
    with installation2.worker(probe_every_s=3_600) as worker:
        turn(worker, 60)

    assert {refresh_of(installation2.sessions, each).claim_token for each in product_ids} == {None}


def test_an_outage_does_not_count_against_the_products(installation2: Installation) -> None:
    product_ids = installation2.refreshed_products(PRODUCTS)
    installation2.simulator.set_faults({"kind": "status"})
    with installation2.worker(period=QUICK) as worker:
        turn(worker, 60)

    assert max(refresh_of(installation2.sessions, each).failures for each in product_ids) <= 1


@in_turn("unauthorized", "unauthorized", "status", "timeout", "close", "html", "too_many")
def test_after_an_outage_the_same_worker_makes_everything_fresh(
    installation: Installation, kind: str
) -> None:
    installation.refreshed_products(PRODUCTS)
    installation.simulator.control("POST", "tick", {"ticks": 40})
    installation.simulator.set_faults({"kind": kind, "calls": ["register", "offers"]})
    with installation.worker(period=QUICK, timeout_s=SHORT_S) as worker:
        turn(worker, 40)
        installation.simulator.set_faults()
        turn_until(worker, installation.is_fresh)


# --- a database in trouble


class FakeFetcher:
    """Has a result for each claim at once."""

    unfinished = 0
    capacity = 100
    is_busy = False

    def __init__(self, offers_of: dict[int, list[OfferData]]) -> None:
        self._offers_of = offers_of
        self._results: list[FetchResult] = []

    def start(self, claims: Iterable[Claim]) -> None:
        self._results += [FetchResult(each, self._offers_of[each.product_id]) for each in claims]

    def fetch(self, _wait_s: float, *, unstored_bytes: int = 0) -> Fetched:
        assert unstored_bytes >= 0
        time.sleep(0.005)
        results, self._results = self._results, []
        return Fetched(results)

    def drop_waiting(self) -> list[Claim]:
        return []

    drop_all = drop_waiting


def worker_with(
    sessions: Any, offers_of: dict[int, list[OfferData]], *, writer: BatchWriter | None = None
) -> Worker:
    fetcher: Any = FakeFetcher(offers_of)
    return Worker(
        Leases(sessions, Rhythm(period=PERIOD, lease=LEASE), wake=lambda: None),
        fetcher,
        writer or BatchWriter(sessions, period=PERIOD, wake=lambda: None),
        CircuitBreaker(probe_every_s=30),
        Metrics(CollectorRegistry()),
        idle_s=IDLE_S,
    )


@pytest.mark.parametrize("spoilt", [offer(price=-1), None], ids=["refused by the database", "a bug"])
def test_an_answer_that_cannot_be_stored_does_not_take_the_others_with_it(
    sessions: Sessions, spoilt: Any
) -> None:
    product_ids = stored_products(sessions, 3, now=utc_now())
    offers_of = {each: [offer()] for each in product_ids} | {product_ids[1]: [spoilt]}
    worker = worker_with(sessions, offers_of)
    turn_until(worker, lambda: refresh_of(sessions, product_ids[1]).failures > 0)
    worker.finish(grace_s=1)

    assert [stored_offers(sessions, each) for each in product_ids] == [{offer()}, set(), {offer()}]
    assert [refresh_of(sessions, each).failures for each in product_ids] == [0, 1, 0]


def test_when_the_database_comes_back_the_worker_goes_on(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1, now=utc_now())
    away = LostSessions(sessions, lost=8)
    worker = worker_with(away, {product_id: [offer()]})
    turn_until(worker, lambda: stored_offers(sessions, product_id) == {offer()})

    assert away.lost < 0


@pytest.mark.parametrize(("lost", "has_database"), [(0, True), (1_000, False)])
def test_a_worker_knows_whether_its_database_is_available(
    sessions: Sessions, lost: int, has_database: bool
) -> None:
    worker = worker_with(LostSessions(sessions, lost=lost), {})
    turn(worker, 50)

    assert worker.has_database is has_database


def test_what_was_read_while_the_database_was_away_is_stored_when_it_is_back(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1, now=utc_now())
    away = LostSessions(sessions, lost=8, first=1)
    worker = worker_with(away, {product_id: [offer()]})
    turn_until(worker, lambda: stored_offers(sessions, product_id) == {offer()})

    # The lease is far longer than this test: the product was claimed once.
    assert away.lost < 0
    assert refresh_of(sessions, product_id).claim_token is None


def test_once_ends_if_the_database_stays_away(sessions: Sessions) -> None:
    worker = worker_with(LostSessions(sessions, lost=1_000), {})

    assert not worker.run_once(StopFlag(), on_progress=lambda _: None).is_success


class StuckSessions:
    """A database that does not answer, until the test lets it."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.answers = threading.Event()
        self.has_ended = False

    def begin(self) -> Any:
        self.answers.wait(PATIENCE_S)
        if self.has_ended:
            raise RuntimeError("The test has ended, and the next one must not see this thread's statements.")
        return self._sessions.begin()

    def __call__(self) -> Any:
        return self._sessions()


@pytest.fixture
def stuck(sessions: Sessions) -> Iterator[StuckSessions]:
    found = StuckSessions(sessions)
    yield found
    found.has_ended = True
    found.answers.set()


@SENDS_NO_SQL
def test_while_the_database_does_not_answer_the_loop_turns_and_says_how_long(stuck: StuckSessions) -> None:
    worker = worker_with(stuck, {})
    turn(worker, 20)

    assert 0 < worker.waits_for_database_s < PATIENCE_S


def refreshed_products(sessions: Sessions) -> int | None:
    with sessions() as session:
        return session.scalar(select(func.count()).where(Refresh.refreshed_at.is_not(None)))


# A batch has 500 products or 5,000 offers.
@pytest.mark.parametrize(("products", "offers"), [(1_500, 0), (800, 20)])
def test_while_two_batches_wait_for_the_database_nothing_more_is_claimed(
    sessions: Sessions, stuck: StuckSessions, products: int, offers: int
) -> None:
    product_ids = stored_products(sessions, products, now=utc_now())
    writer = BatchWriter(stuck, period=PERIOD, wake=lambda: None)  # type: ignore[arg-type]
    answer = [offer(str(number)) for number in range(offers)]
    worker = worker_with(sessions, dict.fromkeys(product_ids, answer), writer=writer)
    turn_until(worker, lambda: writer.is_behind)
    claimed = writer.unstored
    turn(worker, 20)

    # What was being claimed when the second batch was whole.
    assert writer.unstored <= claimed + FakeFetcher.capacity < len(product_ids)
    stuck.answers.set()
    turn_until(worker, lambda: refreshed_products(sessions) == len(product_ids))
    worker.finish(grace_s=1)


@SENDS_NO_SQL
def test_a_worker_whose_database_does_not_answer_can_be_stopped(stuck: StuckSessions) -> None:
    worker = worker_with(stuck, {})
    turn(worker, 5)
    worker.finish(grace_s=0)

    assert not stuck.answers.is_set()


def test_an_answer_that_comes_while_the_database_does_not_answer_counts(
    installation2: Installation, stuck: StuckSessions
) -> None:
    product_ids = installation2.refreshed_products(CONCURRENCY)
    stuck.answers.set()
    with installation2.worker(sessions=stuck) as worker:  # type: ignore[arg-type]
        turn_until(worker, lambda: bool(installation2.calls("offers")))
        stuck.answers.clear()
        turn_until(worker, lambda: installation2.calls("offers") == {"200": CONCURRENCY})
        turn(worker, 10)
        stuck.answers.set()
        turn_until(worker, lambda: not claimed_products(installation2, product_ids))

    assert installation2.calls("offers") == {"200": CONCURRENCY}
    assert {refresh_of(installation2.sessions, each).failures for each in product_ids} == {0}


def claimed_products(installation: Installation, product_ids: list[int]) -> set[int]:
    return {each for each in product_ids if refresh_of(installation.sessions, each).claim_token}


# --- stopping


def test_a_worker_that_stops_gives_its_claims_back(installation2: Installation) -> None:
    product_ids = installation2.refreshed_products(PRODUCTS)
    slots = [refresh_of(installation2.sessions, each).due_at for each in product_ids]
    installation2.simulator.set_faults({"kind": "timeout"})
    with installation2.worker() as worker:
        worker.turn(due_by=None)
        worker.finish(grace_s=0)
    rows = [refresh_of(installation2.sessions, each) for each in product_ids]

    assert {each.claim_token for each in rows} == {None}
    assert [each.due_at for each in rows] == slots


def test_a_worker_that_stops_stores_while_it_waits_for_calls(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be more results than fit into the time for storing."""
    (product_id,) = stored_products(sessions, 1, now=utc_now())
    writer = BatchWriter(sessions, period=PERIOD, wake=lambda: None)
    worker = worker_with(sessions, {product_id: [offer()]}, writer=writer)
    monkeypatch.setattr(FakeFetcher, "unfinished", 1)
    monkeypatch.setattr(FakeFetcher, "is_busy", True)
    monkeypatch.setattr(worker_module, "_STORING_S", 0.0)
    turn_until(worker, lambda: writer.unstored == 1)
    worker.finish(grace_s=1)

    assert stored_offers(sessions, product_id) == {offer()}


def test_a_worker_that_stops_stores_what_arrives_in_time(installation2: Installation) -> None:
    installation2.refreshed_products(CONCURRENCY)
    installation2.simulator.control("POST", "tick", {"ticks": 40})
    installation2.simulator.set_faults({"kind": "latency", "seconds": 1})
    with installation2.worker() as worker:
        turn_until(worker, lambda: installation2.calls("offers") == {"200": CONCURRENCY})
        worker.finish(grace_s=20)

    assert installation2.is_fresh()
