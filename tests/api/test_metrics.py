"""/metrics: the names of the contract, and what each series counts."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from productator.app import create_app
from productator.domain import Rate
from tests import factories
from tests.api.checks import PRODUCTS
from tests.servers import dispose_of

Guarded = Callable[..., FlaskClient]

# As DESIGN.md has them.
CONTRACT = {
    "productator_http_requests_total": {"method", "route", "status"},
    "productator_http_request_duration_seconds_bucket": {"method", "route", "le"},
    "productator_http_requests_in_progress": set(),
    "productator_database_seconds_sum": {"kind"},
    "productator_database_errors_total": {"kind"},
    "productator_idempotency_total": {"outcome"},
    "productator_rate_limited_total": set(),
    "productator_auth_failures_total": {"reason"},
    "productator_build_info": {"version", "python", "schema"},
}


@pytest.fixture
def api(guarded: Guarded) -> FlaskClient:
    """A client of an application of its own, whose counts begin at zero."""
    return guarded("off")


def series(client: FlaskClient) -> dict[str, float]:
    """The value of each series, by its name with its labels."""
    text = client.get("/metrics").text
    return {name: float(value) for name, value in re.findall(r"^([^#\s].*) (\S+)$", text, re.MULTILINE)}


def requests_of(client: FlaskClient) -> dict[str, float]:
    prefix = "productator_http_requests_total"
    found = {name.removeprefix(prefix): value for name, value in series(client).items()}
    return {name: value for name, value in found.items() if name.startswith('{method="')}


@pytest.mark.parametrize(("name", "labels"), CONTRACT.items())
def test_every_series_of_the_contract_is_there_with_its_labels(
    api: FlaskClient, name: str, labels: set[str]
) -> None:
    api.get(PRODUCTS)

    found = [each for each in series(api) if re.match(rf"{name}(\{{|$)", each)]

    assert found
    assert all(set(re.findall(r'([a-z_]+)="', each)) == labels for each in found)


def test_a_request_counts_for_the_template_of_its_path(api: FlaskClient) -> None:
    product_id = factories.posted_product(api)["id"]
    for path in (f"{PRODUCTS}/{product_id}", f"{PRODUCTS}/{product_id + 1}", "/nowhere"):
        api.get(path)

    found = requests_of(api)

    route = "/api/v1/products/{id}"
    assert found[f'{{method="GET",route="{route}",status="200"}}'] == 1
    assert found[f'{{method="GET",route="{route}",status="404"}}'] == 1
    assert found['{method="GET",route="unmatched",status="404"}'] == 1


def test_a_scan_of_random_paths_adds_no_series(api: FlaskClient) -> None:
    # Once, so that its own request has its series.
    series(api)
    before = series(api).keys()

    for number in range(300):
        assert api.get(f"/{number}/{'x' * (number % 7)}").status_code == 404

    assert series(api).keys() == before


def test_an_answer_that_the_client_has_already_counts_as_304(api: FlaskClient) -> None:
    tag = api.get(PRODUCTS).headers["ETag"]
    api.get(PRODUCTS, headers={"If-None-Match": tag})

    assert requests_of(api)['{method="GET",route="/api/v1/products",status="304"}'] == 1


def test_a_scan_of_random_paths_and_methods_adds_no_series(api: FlaskClient) -> None:
    for method in ("GET", "ODD"):
        api.open("/first", method=method)
    api.get("/metrics")
    before = series(api).keys()

    for number in range(300):
        api.get(f"/{number}/x?y={number}")
        api.open(f"/{number}", method=f"ODD{number}")

    assert series(api).keys() == before
    assert requests_of(api)['{method="other",route="unmatched",status="404"}'] == 301


def test_only_the_request_for_the_metrics_is_in_progress(api: FlaskClient) -> None:
    api.get(PRODUCTS)
    api.get("/nowhere")

    assert series(api)["productator_http_requests_in_progress"] == 1


def test_reads_and_writes_of_the_database_are_timed(api: FlaskClient) -> None:
    factories.posted_product(api)
    api.get(PRODUCTS)

    found = series(api)

    assert found['productator_database_seconds_count{kind="write"}'] == 1
    assert found['productator_database_seconds_count{kind="read"}'] == 1
    assert found['productator_database_seconds_sum{kind="read"}'] > 0


@pytest.mark.parametrize(
    ("key", "body", "outcome"),
    [
        ("a-key", {"name": "Kettle"}, "replayed"),
        ("a-key", {"name": "Mill"}, "reused"),
        ("other", {"name": "Kettle"}, "fresh"),
        ("two words", {"name": "Kettle"}, "malformed"),
    ],
)
def test_requests_with_a_key_count_by_their_outcome(
    api: FlaskClient, key: str, body: dict[str, str], outcome: str
) -> None:
    api.post(PRODUCTS, json={"name": "Kettle"}, headers={"Idempotency-Key": "a-key"})
    before = series(api)

    api.post(PRODUCTS, json=body, headers={"Idempotency-Key": key})

    assert _grown(before, series(api), "idempotency") == {f'{{outcome="{outcome}"}}'}


@pytest.mark.parametrize(
    ("headers", "reason"),
    [({}, "missing"), (factories.bearer("x"), "invalid")],
)
def test_requests_without_the_right_count_by_the_reason(
    guarded: Guarded, headers: dict[str, str], reason: str
) -> None:
    client = guarded("write")
    before = series(client)

    client.post(PRODUCTS, headers=headers)

    assert _grown(before, series(client), "auth_failures") == {f'{{reason="{reason}"}}'}


def test_requests_beyond_the_rate_limit_count(guarded: Guarded) -> None:
    client = guarded("off", rate_limit=Rate(2, 60))
    for _ in range(5):
        client.get(PRODUCTS)

    assert series(client)["productator_rate_limited_total"] == 3


def _grown(before: dict[str, float], after: dict[str, float], name: str) -> set[str]:
    prefix = f"productator_{name}_total"
    return {
        each.removeprefix(prefix) for each in after if each.startswith(prefix) and after[each] > before[each]
    }


@pytest.fixture
def unmigrated(empty_database_url: str) -> Iterator[FlaskClient]:
    app = create_app(factories.settings(database_url=empty_database_url))
    yield app.test_client()
    dispose_of(app)


def test_errors_of_the_database_count_by_their_kind_also_when_they_are_retried(
    unmigrated: FlaskClient,
) -> None:
    unmigrated.get(PRODUCTS)

    assert series(unmigrated)['productator_database_errors_total{kind="not-migrated"}'] == 4


def test_a_database_that_cannot_be_reached_counts(tmp_path: Path) -> None:
    tmp_path.joinpath("folder.db").mkdir()
    app = create_app(factories.settings(database_url=f"sqlite:///{tmp_path / 'folder.db'}"))
    app.test_client().get(PRODUCTS)

    assert series(app.test_client())['productator_database_errors_total{kind="unreachable"}'] == 1
    dispose_of(app)
