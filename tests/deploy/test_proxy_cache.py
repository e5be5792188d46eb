"""What the proxy keeps, and for whom: a real nginx before a stand-in for the API."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from lab.processes.api import Api
from lab.processes.proxy import start_proxy
from lab.processes.system import System
from tests.deploy.stand_in_api import PUBLIC, StandIn, standing_in

# Answers are kept for one second.
EXPIRED_S = 2.1


@pytest.fixture
def api() -> Iterator[StandIn]:
    with standing_in() as stand_in:
        stand_in.headers = dict(PUBLIC)
        yield stand_in


@pytest.fixture
def proxy(tmp_path: Path, api: StandIn) -> Iterator[Api]:
    system = System("sqlite://", tmp_path)
    yield start_proxy(system, api.port)
    assert not system.stop_all()


def read(proxy: Api, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(proxy.url("/api/v1/products"), headers=named, timeout=10)


def keep_for_long(api: StandIn) -> None:
    api.headers["Cache-Control"] = "public, max-age=60"


def test_an_anonymous_read_is_answered_from_the_cache_until_it_expires(proxy: Api, api: StandIn) -> None:
    assert read(proxy).json() == read(proxy).json()
    time.sleep(EXPIRED_S)

    assert read(proxy).json() == {"number": 2}


def test_the_files_of_few_kept_answers_stay_open(proxy: Api, api: StandIn) -> None:
    """A file that was removed takes space until it is closed."""
    keep_for_long(api)
    with requests.Session() as session:
        for number in range(300):
            for _ in range(2):
                session.get(proxy.url(f"/api/v1/products?page={number}"), timeout=10)

    counts = [sum("/cache/" in each for each in _open_files(worker)) for worker in proxy.children]
    assert 1 <= max(counts) <= 200


def _open_files(process: int) -> list[str]:
    found = []
    for each in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            found.append(str(each.readlink()))
    return found


def test_an_answer_from_the_cache_has_a_request_id_of_its_own(proxy: Api, api: StandIn) -> None:
    keep_for_long(api)

    assert [read(proxy, X_Request_Id=each).headers["X-Request-Id"] for each in ("a", "b")] == ["a", "b"]
    assert len(api.got) == 1


def test_an_answer_from_the_cache_tells_nobody_the_rate_limit_of_another(proxy: Api, api: StandIn) -> None:
    keep_for_long(api)
    api.headers |= {"RateLimit": '"default";r=5;t=9', "RateLimit-Policy": '"default";q=9;w=9'}

    assert read(proxy).headers["RateLimit"]
    assert not {"RateLimit", "RateLimit-Policy"} & set(read(proxy).headers)


def test_an_answer_from_the_cache_says_when_the_api_gave_it(proxy: Api, api: StandIn) -> None:
    keep_for_long(api)
    first = read(proxy).headers["Date"]
    time.sleep(1.1)

    assert read(proxy).headers["Date"] == first


@pytest.mark.parametrize("tag", ['"one"', 'W/"one"'])
def test_an_anonymous_conditional_read_is_not_modified_before_and_after_it_is_kept(
    proxy: Api, api: StandIn, tag: str
) -> None:
    statuses = [read(proxy, If_None_Match=tag).status_code for _ in range(2)]
    time.sleep(EXPIRED_S)
    statuses.append(read(proxy, If_None_Match=tag).status_code)

    assert statuses == [304, 304, 304]
    assert read(proxy, If_None_Match='"other"').status_code == 200


@pytest.mark.parametrize("personal", [{"Authorization": "Bearer pt_x"}, {"Cookie": "session=x"}])
def test_what_carries_a_token_or_cookie_is_neither_kept_nor_answered_from_the_cache(
    proxy: Api, api: StandIn, personal: dict[str, str]
) -> None:
    keep_for_long(api)

    numbers = [read(proxy, **each).json()["number"] for each in ({}, personal, personal, {})]

    assert numbers == [1, 2, 3, 1]


@pytest.mark.parametrize("cache_control", ["private, no-cache", "no-cache", "no-store"])
def test_what_the_api_calls_private_is_not_kept(proxy: Api, api: StandIn, cache_control: str) -> None:
    api.headers["Cache-Control"] = cache_control

    assert [read(proxy).json()["number"] for _ in range(2)] == [1, 2]


def test_an_answer_that_sets_a_cookie_is_not_kept(proxy: Api, api: StandIn) -> None:
    keep_for_long(api)
    api.headers["Set-Cookie"] = "session=x"

    assert [read(proxy).json()["number"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("is_expired", [False, True], ids=["nothing is kept", "what is kept has expired"])
def test_of_many_who_read_the_same_one_is_passed_on(proxy: Api, api: StandIn, is_expired: bool) -> None:
    if is_expired:
        read(proxy)
        time.sleep(EXPIRED_S)
    before = len(api.got)
    keep_for_long(api)
    api.takes_s = 0.5

    with ThreadPoolExecutor(30) as clients:
        statuses = set(clients.map(lambda _: read(proxy).status_code, range(30)))

    assert statuses == {200}
    assert len(api.got) - before == 1
