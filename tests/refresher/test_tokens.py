"""The shared access token: one process asks for it and renews it, the others wait."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select, update

from productator.domain import utc_now
from productator.errors import (
    AnotherTokenIsValid,
    OffersProtocolError,
    OffersServiceError,
    OffersUnavailable,
    TokenRejected,
)
from productator.models import ServiceToken
from productator.offers_service.access_token import FixedTokenSource, SharedTokenSource
from productator.offers_service.contract import AccessToken
from productator.offers_service.http_call import HttpCall
from productator.offers_service.token_row import RETRY_PAUSE, TokenRow
from simulator.options import DEFAULT_REFRESH_TOKEN
from tests.refresher.recorder import Recorder, recording
from tests.refresher.rows import Sessions, UnheardSessions
from tests.simulator.conftest import RunningSimulator

TIMEOUT_S = 5.0
HOUR = timedelta(hours=1)
LEASE = timedelta(seconds=10)
A_LITTLE = timedelta(seconds=3)


def source_at(
    address: str, sessions: Sessions, *, refresh_token: str | None = None, timeout_s: float = TIMEOUT_S
) -> SharedTokenSource:
    http = HttpCall(address, timeout_s=TIMEOUT_S)
    return SharedTokenSource(
        http, sessions, address=address, refresh_token=refresh_token, timeout_s=timeout_s
    )


def source1(simulator: RunningSimulator, sessions: Sessions) -> SharedTokenSource:
    return source_at(simulator.address, sessions)


def source2(simulator: RunningSimulator, sessions: Sessions) -> SharedTokenSource:
    return source_at(simulator.address, sessions, refresh_token=DEFAULT_REFRESH_TOKEN)


@pytest.fixture(params=[("generation1", source1), ("generation2", source2)], ids=["1", "2"])
def new_source(request: pytest.FixtureRequest, sessions: Sessions) -> Callable[[], SharedTokenSource]:
    """Makes token sources of either generation, each as a process of its own would have it."""
    fixture, make = request.param
    simulator = request.getfixturevalue(fixture)
    return lambda: make(simulator, sessions)


@pytest.fixture
def asked(request: pytest.FixtureRequest, new_source: object) -> Callable[[], dict[str, int]]:
    """How often the service was asked for a token, by the status of its answer."""
    running = [request.getfixturevalue(name) for name in ("generation1", "generation2")]
    return lambda: {
        status: count
        for simulator in running
        for status, count in simulator.control("GET", "counts")["auth"].items()
    }


@pytest.fixture
def busy_generation2(generation2: RunningSimulator) -> RunningSimulator:
    """A service that has issued a valid token, which nobody knows any more."""
    generation2.access_token(DEFAULT_REFRESH_TOKEN)
    return generation2


def row_of(sessions: Sessions) -> ServiceToken:
    with sessions() as session:
        return session.scalars(select(ServiceToken)).one()


def set_row(sessions: Sessions, **values: Any) -> None:
    """As if time had passed, or another process had changed the row."""
    with sessions.begin() as session:
        session.execute(update(ServiceToken).values(**values))


def auth_counts(simulator: RunningSimulator) -> dict[str, int]:
    counts: dict[str, int] = simulator.control("GET", "counts")["auth"]
    return counts


def shared_by_two(sessions: Any) -> list[TokenRow]:
    return [TokenRow(sessions, "identity", lease=LEASE) for _ in range(2)]


def obtained_at_once(sources: list[SharedTokenSource], **arguments: Any) -> set[AccessToken]:
    start = Barrier(len(sources))

    def obtain(source: SharedTokenSource) -> AccessToken:
        start.wait()
        return source.obtain(**arguments)

    with ThreadPoolExecutor(len(sources)) as pool:
        return set(pool.map(obtain, sources))


def failures_of(source: SharedTokenSource, times: int, **arguments: Any) -> list[type[OffersServiceError]]:
    return [failure_of(source, **arguments) for _ in range(times)]


def failure_of(source: SharedTokenSource, **arguments: Any) -> type[OffersServiceError]:
    with pytest.raises(OffersServiceError) as caught:
        source.obtain(**arguments)
    return caught.type


# --- the first token


def test_eight_processes_ask_for_the_first_token_once(
    new_source: Callable[[], SharedTokenSource], asked: Callable[[], dict[str, int]]
) -> None:
    tokens = obtained_at_once([new_source() for _ in range(8)])

    assert len(tokens) == 1
    assert asked() == {"201": 1}


def test_a_token_survives_the_process_that_asked_for_it(
    new_source: Callable[[], SharedTokenSource], asked: Callable[[], dict[str, int]]
) -> None:
    first = new_source().obtain()

    assert new_source().obtain() == first
    assert asked() == {"201": 1}


def test_a_token_of_generation_1_does_not_expire(generation1: RunningSimulator, sessions: Sessions) -> None:
    assert source1(generation1, sessions).obtain().expires_at is None


def test_a_token_of_generation_2_lasts_five_minutes(
    generation2: RunningSimulator, sessions: Sessions
) -> None:
    expires_at = source2(generation2, sessions).obtain().expires_at

    assert expires_at is not None
    assert timedelta(minutes=4) < expires_at - utc_now() <= timedelta(minutes=5)


# --- generation 2 issues no second token


def test_while_an_unknown_token_is_valid_the_service_is_asked_once(
    busy_generation2: RunningSimulator, sessions: Sessions
) -> None:
    source = source2(busy_generation2, sessions)

    assert failures_of(source, 20) == [AnotherTokenIsValid] + [OffersUnavailable] * 19
    assert auth_counts(busy_generation2) == {"201": 1, "400": 1}


def test_while_an_unknown_token_is_valid_other_processes_wait_as_well(
    busy_generation2: RunningSimulator, sessions: Sessions
) -> None:
    failure_of(source2(busy_generation2, sessions))
    failure_of(source2(busy_generation2, sessions))

    assert auth_counts(busy_generation2) == {"201": 1, "400": 1}


def test_when_the_unknown_token_has_expired_there_is_a_new_one(
    busy_generation2: RunningSimulator, sessions: Sessions
) -> None:
    source = source2(busy_generation2, sessions)
    failure_of(source)
    busy_generation2.control("POST", "expire")
    set_row(sessions, retry_at=utc_now())

    assert source.obtain().value == row_of(sessions).access_token


# --- a token that is valid for longer than our clock says


@pytest.fixture
def overdue(generation2: RunningSimulator, sessions: Sessions) -> AccessToken:
    """A token of long ago that has expired by our clock, but not yet by the service's."""
    token = source2(generation2, sessions).obtain()
    set_row(sessions, obtained_at=utc_now() - HOUR, expires_at=utc_now())
    generation2.control("DELETE", "log")
    return token


def test_a_token_that_the_service_still_accepts_is_used_for_a_second_more(
    generation2: RunningSimulator, sessions: Sessions, overdue: AccessToken
) -> None:
    before = utc_now()
    token = source2(generation2, sessions).obtain()

    assert token.value == overdue.value
    assert token.expires_at is not None
    assert before < token.expires_at <= utc_now() + timedelta(seconds=1)


def test_all_processes_use_it_although_only_one_has_asked(
    generation2: RunningSimulator, sessions: Sessions, overdue: AccessToken
) -> None:
    token = source2(generation2, sessions).obtain()

    assert source2(generation2, sessions).obtain() == token
    assert auth_counts(generation2) == {"400": 1}


def test_when_the_second_is_over_the_service_is_asked_again(
    generation2: RunningSimulator, sessions: Sessions, overdue: AccessToken
) -> None:
    source2(generation2, sessions).obtain()
    set_row(sessions, expires_at=utc_now())

    assert source2(generation2, sessions).obtain().value == overdue.value
    assert auth_counts(generation2) == {"400": 2}


def test_when_the_service_rejects_it_within_the_second_it_is_renewed_at_once(
    generation2: RunningSimulator, sessions: Sessions, overdue: AccessToken
) -> None:
    source2(generation2, sessions).obtain()
    generation2.control("POST", "expire")
    (token,) = obtained_at_once([source2(generation2, sessions) for _ in range(8)], rejected=overdue.value)

    assert token.value != overdue.value
    assert auth_counts(generation2) == {"201": 1, "400": 1}


def test_when_the_service_rejects_it_but_issues_no_other_all_wait(
    generation2: RunningSimulator, sessions: Sessions, overdue: AccessToken
) -> None:
    source = source2(generation2, sessions)

    assert failure_of(source, rejected=overdue.value) is AnotherTokenIsValid
    assert failures_of(source, 20) == [OffersUnavailable] * 20
    assert auth_counts(generation2) == {"400": 1}


# --- renewal


def test_an_expired_token_is_renewed_by_one_of_many(
    generation2: RunningSimulator, sessions: Sessions
) -> None:
    old = source2(generation2, sessions).obtain()
    set_row(sessions, expires_at=utc_now() - HOUR)
    generation2.control("POST", "expire")
    generation2.control("DELETE", "log")
    (new,) = obtained_at_once([source2(generation2, sessions) for _ in range(8)])

    assert new.value != old.value
    assert auth_counts(generation2) == {"201": 1}


def test_a_rejected_token_is_renewed_by_one_of_many(
    new_source: Callable[[], SharedTokenSource],
    asked: Callable[[], dict[str, int]],
    sessions: Sessions,
    generation1: RunningSimulator,
    generation2: RunningSimulator,
) -> None:
    old = new_source().obtain()
    set_row(sessions, obtained_at=utc_now() - HOUR)
    generation1.control("POST", "expire")
    generation2.control("POST", "expire")
    (new,) = obtained_at_once([new_source() for _ in range(8)], rejected=old.value)

    assert new.value != old.value
    assert asked() == {"201": 2}


def test_a_rejected_token_that_somebody_else_renewed_is_only_read_again(
    new_source: Callable[[], SharedTokenSource], asked: Callable[[], dict[str, int]], sessions: Sessions
) -> None:
    source = new_source()
    old = source.obtain()
    set_row(sessions, access_token="renewed")

    assert source.obtain(rejected=old.value).value == "renewed"
    assert asked() == {"201": 1}


def test_a_young_token_that_is_rejected_is_not_renewed(
    new_source: Callable[[], SharedTokenSource], asked: Callable[[], dict[str, int]]
) -> None:
    source = new_source()
    token = source.obtain()

    assert failures_of(source, 20, rejected=token.value) == [TokenRejected] * 20
    assert asked() == {"201": 1}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 500}, OffersUnavailable),
        ({"kind": "too_many"}, OffersUnavailable),
        ({"kind": "close"}, OffersUnavailable),
        ({"kind": "unauthorized"}, TokenRejected),
        ({"kind": "html"}, OffersProtocolError),
        ({"kind": "wrong_shape"}, OffersProtocolError),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_after_a_failed_renewal_no_process_asks_for_a_while(
    generation2: RunningSimulator, sessions: Sessions, fault: dict[str, Any], error: type[Exception]
) -> None:
    generation2.set_faults(fault | {"calls": ["auth"]})

    assert failure_of(source2(generation2, sessions)) is error
    assert failure_of(source2(generation2, sessions)) is OffersUnavailable
    assert sum(auth_counts(generation2).values()) == 1


def test_a_renewer_that_was_killed_is_replaced_when_its_lease_ends(
    generation1: RunningSimulator, sessions: Sessions
) -> None:
    source1(generation1, sessions).obtain()
    killed = utc_now()
    set_row(sessions, access_token=None, renewer="killed", renewer_until=killed + timedelta(seconds=0.5))
    token = source1(generation1, sessions).obtain()

    assert row_of(sessions).access_token == token.value
    assert utc_now() >= killed + timedelta(seconds=0.5)


def test_waiting_for_a_renewal_that_does_not_end_is_a_failure(
    generation1: RunningSimulator, sessions: Sessions
) -> None:
    source1(generation1, sessions).obtain()
    until = utc_now() + timedelta(seconds=1.9)
    set_row(sessions, access_token=None, renewer="another", renewer_until=until)

    # Patience is five seconds longer than the timeout: one second.
    assert failure_of(source_at(generation1.address, sessions, timeout_s=-4)) is OffersUnavailable


def test_a_renewer_that_lost_its_lease_stores_nothing(sessions: Sessions) -> None:
    slow, quick = shared_by_two(sessions)
    now = utc_now()
    slow.take_lease(seen=None, now=now)

    assert quick.take_lease(seen=None, now=now + LEASE)
    assert not slow.store(AccessToken("stale", None), now=now)
    assert quick.store(AccessToken("fresh", None), now=now)
    assert row_of(sessions).access_token == "fresh"


def test_a_lease_is_only_for_the_token_that_was_seen(sessions: Sessions) -> None:
    shared, _ = shared_by_two(sessions)
    shared.take_lease(seen=None, now=utc_now())
    shared.store(AccessToken("one", None), now=utc_now())

    assert not shared.take_lease(seen=None, now=utc_now())
    assert not shared.take_lease(seen=AccessToken("another", None), now=utc_now())
    assert shared.take_lease(seen=AccessToken("one", None), now=utc_now())


def test_a_lease_is_not_for_a_token_that_meanwhile_is_valid_for_longer(sessions: Sessions) -> None:
    first, second = shared_by_two(sessions)
    now = utc_now()
    seen = AccessToken("one", now)
    first.take_lease(seen=None, now=now)
    first.store(seen, now=now)
    first.take_lease(seen=seen, now=now)
    first.prolong(until=now + HOUR)

    assert not second.take_lease(seen=seen, now=now)


def test_a_lease_whose_commit_was_not_answered_counts(sessions: Sessions) -> None:
    # The first commit makes the row.
    renewer, other = shared_by_two(UnheardSessions(sessions, heard=1))

    assert renewer.take_lease(seen=None, now=utc_now())
    assert not other.take_lease(seen=None, now=utc_now())


def test_a_token_whose_commit_was_not_answered_is_stored(sessions: Sessions) -> None:
    renewer, _ = shared_by_two(UnheardSessions(sessions, heard=2))
    renewer.take_lease(seen=None, now=utc_now())

    assert renewer.store(AccessToken("one", None), now=utc_now())
    assert row_of(sessions).access_token == "one"


# --- clocks that were set back, and clocks that differ


@pytest.mark.parametrize("column", ["retry_at", "renewer_until"])
def test_pauses_from_before_a_clock_was_set_back_are_ignored(
    generation1: RunningSimulator, sessions: Sessions, column: str
) -> None:
    source = source1(generation1, sessions)
    source.obtain()
    set_row(sessions, access_token=None, renewer="killed", **{column: utc_now() + HOUR})

    assert source.obtain().value == row_of(sessions).access_token


def test_a_token_from_before_a_clock_was_set_back_is_renewed_when_it_is_rejected(
    generation1: RunningSimulator, sessions: Sessions
) -> None:
    source = source1(generation1, sessions)
    old = source.obtain()
    set_row(sessions, obtained_at=utc_now() + HOUR)

    assert source.obtain(rejected=old.value).value != old.value


def test_a_lease_holds_where_the_clock_is_behind(sessions: Sessions) -> None:
    renewer, behind = shared_by_two(sessions)
    now = utc_now()
    renewer.take_lease(seen=None, now=now + A_LITTLE)

    assert not behind.take_lease(seen=None, now=now)


def test_a_pause_holds_where_the_clock_is_behind(sessions: Sessions) -> None:
    renewer, behind = shared_by_two(sessions)
    now = utc_now()
    renewer.take_lease(seen=None, now=now + A_LITTLE)
    renewer.give_up(retry_at=now + A_LITTLE + RETRY_PAUSE)

    assert not behind.take_lease(seen=None, now=now)


def test_a_token_is_young_where_the_clock_is_behind(
    generation1: RunningSimulator, sessions: Sessions
) -> None:
    source = source1(generation1, sessions)
    token = source.obtain()
    set_row(sessions, obtained_at=utc_now() + A_LITTLE)

    assert failure_of(source, rejected=token.value) is TokenRejected


# --- whose token it is


@pytest.fixture
def service() -> Iterator[Recorder]:
    """A service that issues a new token with each call."""
    with recording(status=201, answer='{"access_token": "token-{}"}') as service:
        yield service


@pytest.mark.parametrize(("path", "refresh_token"), [("/another", "mine"), ("", "another")])
def test_another_service_or_owner_never_gets_the_token(
    sessions: Sessions, service: Recorder, path: str, refresh_token: str
) -> None:
    first = source_at(service.address, sessions, refresh_token="mine").obtain()
    second = source_at(service.address + path, sessions, refresh_token=refresh_token).obtain()

    assert first.value != second.value
    assert source_at(service.address, sessions, refresh_token="mine").obtain().value == first.value


def test_generation_2_sends_its_refresh_token_and_generation_1_nothing(
    sessions: Sessions, service: Recorder
) -> None:
    source_at(service.address, sessions, refresh_token="mine").obtain()
    source_at(service.address, sessions).obtain()

    assert [request.headers.get("Bearer") for request in service.requests] == ["mine", None]


def test_a_refresh_token_is_not_stored(generation2: RunningSimulator, sessions: Sessions) -> None:
    source2(generation2, sessions).obtain()

    assert DEFAULT_REFRESH_TOKEN not in row_of(sessions).identity


# --- a token from the settings


def test_a_token_from_the_settings_is_used_as_it_is() -> None:
    assert FixedTokenSource("given").obtain() == AccessToken("given", None)


def test_a_token_from_the_settings_that_is_rejected_cannot_be_renewed() -> None:
    with pytest.raises(TokenRejected):
        FixedTokenSource("given").obtain(rejected="given")
