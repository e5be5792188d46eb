"""Muting a rule by the address in a mail."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from productator.access import installation_keys
from productator.alerts.mute_links import MUTED_FOR, mute_path
from productator.domain import utc_now
from productator.models import AlertRule
from tests.api.checks import problem

Sessions = sessionmaker[Session]


@pytest.fixture
def rule_id(sessions: Sessions) -> int:
    now = utc_now()
    rule = AlertRule(
        kind="threshold",
        price=100,
        cooldown_s=0,
        confirm_periods=0,
        rearm_percent=2,
        counts_from=now,
        created_at=now,
        updated_at=now,
    )
    with sessions.begin() as session:
        session.add(rule)
        session.flush()
        return rule.id


@pytest.fixture
def path(sessions: Sessions, rule_id: int) -> str:
    with sessions.begin() as session:
        key = installation_keys.find_or_make(session.connection(), installation_keys.MUTE_LINKS)
    return mute_path(rule_id, key)


def _muted(sessions: Sessions, rule_id: int) -> bool:
    with sessions() as session:
        until = session.get_one(AlertRule, rule_id).muted_until
        return until is not None and utc_now() < until <= utc_now() + MUTED_FOR


def test_opening_the_address_mutes_nothing(
    client: FlaskClient, sessions: Sessions, rule_id: int, path: str
) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert "<button>" in response.text
    assert not _muted(sessions, rule_id)


def test_the_button_mutes_the_rule(client: FlaskClient, sessions: Sessions, rule_id: int, path: str) -> None:
    assert client.post(path).status_code == 200
    assert _muted(sessions, rule_id)


def test_a_longer_mute_stays(client: FlaskClient, sessions: Sessions, rule_id: int, path: str) -> None:
    later = utc_now() + 4 * MUTED_FOR
    with sessions.begin() as session:
        session.get_one(AlertRule, rule_id).muted_until = later

    assert client.post(path).status_code == 200
    with sessions() as session:
        assert session.get_one(AlertRule, rule_id).muted_until == later


def test_an_address_that_was_guessed_leads_nowhere(
    client: FlaskClient, sessions: Sessions, rule_id: int, path: str
) -> None:
    for guess in (path[:-1] + "x", path.replace(f"/{rule_id}/", f"/{rule_id + 1}/")):
        problem(client.get(guess), 404)
        problem(client.post(guess), 404)
    assert not _muted(sessions, rule_id)


def test_one_click_of_a_mail_program_mutes_the_rule(
    client: FlaskClient, sessions: Sessions, rule_id: int, path: str
) -> None:
    """RFC 8058: a POST without cookies, from no page, with this body."""
    response = client.post(path, data={"List-Unsubscribe": "One-Click"})

    assert response.status_code == 200
    assert _muted(sessions, rule_id)
