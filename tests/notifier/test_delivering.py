"""Deliveries on their way to real receivers, on each database."""

import json
import random
import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker
from standardwebhooks import Webhook, WebhookVerificationError

from notifier.queue import claims, holding, results
from notifier.queue.due import due_channels
from notifier.queue.results import DeliveryOutcome
from notifier.queue.store import LEASE
from productator.alerts import channels, rules
from productator.alerts.channels import ChannelKind
from productator.alerts.deliveries import announce, pending, redeliver
from productator.alerts.sealing import Seal
from productator.alerts.validation import RuleIn
from productator.catalogue import products
from productator.domain import NewProduct, utc_now
from productator.models import AlertState, Channel, Delivery, Event
from tests.notifier import rows
from tests.notifier.receivers import Receiver, receiving

Sessions = sessionmaker[Session]


def test_a_webhook_carries_the_event_and_a_signature_that_its_secret_verifies(
    sessions: Sessions, receiver: Receiver
) -> None:
    channel_id, secret = rows.new_channel(sessions, receiver.address + "/hook")
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions)

    (request,) = receiver.requests
    assert secret is not None
    verified = Webhook(secret).verify(request.body, request.headers)
    assert verified["type"] == "price.threshold"
    assert verified["data"] == rows.DATA
    (delivery,) = rows.deliveries(sessions)
    assert (delivery.status, delivery.attempts, delivery.last_status) == ("delivered", 1, 204)
    assert rows.channel(sessions, channel_id).last_success_at is not None


def test_after_a_rotation_both_secrets_verify(sessions: Sessions, receiver: Receiver) -> None:
    channel_id, old = rows.new_channel(sessions, receiver.address)
    with sessions.begin() as session:
        _, new = channels.rotate_secret(session, channel_id, Seal(None), now=utc_now())
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions)

    (request,) = receiver.requests
    assert old is not None
    for secret in (old, new):
        Webhook(secret).verify(request.body, request.headers)


@pytest.mark.parametrize("key", [None, "key"])
def test_after_two_rotations_within_a_day_all_three_secrets_verify(
    sessions: Sessions, receiver: Receiver, key: str | None
) -> None:
    channel_id, first = rows.new_channel(sessions, receiver.address)
    made = [first]
    with sessions.begin() as session:
        for _ in range(2):
            _, secret = channels.rotate_secret(session, channel_id, Seal(key), now=utc_now())
            made += [secret]
        channels.encrypt_secrets(session, Seal(key))
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions, seal=Seal(key))

    (request,) = receiver.requests
    for each in made:
        assert each is not None
        Webhook(each).verify(request.body, request.headers)


def test_a_third_rotation_within_a_day_ends_the_oldest_secret(sessions: Sessions, receiver: Receiver) -> None:
    channel_id, first = rows.new_channel(sessions, receiver.address)
    with sessions.begin() as session:
        for _ in range(3):
            channels.rotate_secret(session, channel_id, Seal("key"), now=utc_now())
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions, seal=Seal("key"))

    (request,) = receiver.requests
    assert len(request.headers["webhook-signature"].split()) == 3
    assert first is not None
    with pytest.raises(WebhookVerificationError):
        Webhook(first).verify(request.body, request.headers)


def test_a_day_after_a_rotation_the_old_secret_verifies_no_more(
    sessions: Sessions, receiver: Receiver
) -> None:
    channel_id, old = rows.new_channel(sessions, receiver.address)
    with sessions.begin() as session:
        yesterday = utc_now() - channels.BOTH_SECRETS_FOR
        _, new = channels.rotate_secret(session, channel_id, Seal(None), now=yesterday)
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions)

    (request,) = receiver.requests
    assert Webhook(new).verify(request.body, request.headers)
    assert old is not None
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(request.body, request.headers)


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500, 503])
def test_what_is_not_2xx_is_tried_again_with_the_same_id(
    sessions: Sessions, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    receiver.headers = {"Location": "/elsewhere"}
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions)
    (delivery,) = rows.deliveries(sessions)
    rows.make_due(sessions)
    receiver.status = 200
    rows.deliver(sessions)

    assert (delivery.status, delivery.attempts, delivery.last_status) == ("pending", 1, status)
    assert {each.headers["webhook-id"] for each in receiver.requests} == {delivery.message_id}
    assert [each.path for each in receiver.requests] == ["/", "/"]
    assert [each.status for each in rows.deliveries(sessions)] == ["delivered"]


def test_a_receiver_that_asks_for_time_gets_it(sessions: Sessions, receiver: Receiver) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": "200"}
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions)

    (delivery,) = rows.deliveries(sessions)
    assert delivery.next_try_at is not None
    assert delivery.next_try_at > utc_now() + timedelta(seconds=100)


def test_the_eighth_failure_is_the_last(sessions: Sessions, receiver: Receiver) -> None:
    receiver.status = 500
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    rows.new_delivery(sessions, channel_id)
    with sessions.begin() as session:
        session.execute(update(Delivery).values(attempts=7))

    rows.deliver(sessions)

    (delivery,) = rows.deliveries(sessions)
    assert (delivery.status, delivery.attempts, delivery.next_try_at) == ("failed", 8, None)


def test_a_receiver_that_is_gone_disables_its_channel_and_the_others_hear_of_it(
    sessions: Sessions, receiver: Receiver, other_receiver: Receiver
) -> None:
    receiver.status = 410
    gone, _ = rows.new_channel(sessions, receiver.address)
    rows.new_channel(sessions, other_receiver.address)
    rows.new_delivery(sessions, gone)
    rows.new_delivery(sessions, gone)

    rows.deliver(sessions)

    assert rows.channel(sessions, gone).disabled_reason == "The receiver answered 410: gone."
    assert [each.json["type"] for each in other_receiver.requests] == ["channel.disabled"]
    assert other_receiver.requests[0].json["data"]["channel"]["id"] == gone


def test_five_days_of_failures_alone_disable_a_channel(sessions: Sessions, receiver: Receiver) -> None:
    receiver.status = 500
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    rows.new_delivery(sessions, channel_id)
    with sessions.begin() as session:
        session.execute(update(Channel).values(failing_since=utc_now() - timedelta(days=5, minutes=1)))

    rows.deliver(sessions)

    assert rows.channel(sessions, channel_id).disabled_at is not None


def test_a_disabled_channel_gets_nothing_but_tests_and_a_successful_one_enables_it(
    sessions: Sessions, receiver: Receiver
) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    with sessions.begin() as session:
        session.execute(update(Channel).values(disabled_at=utc_now(), disabled_reason="Gone."))
    rows.new_delivery(sessions, channel_id)
    rows.deliver(sessions)
    with sessions.begin() as session:
        channels.test(session, channel_id, now=utc_now())

    rows.deliver(sessions)

    assert [each.json["type"] for each in receiver.requests] == ["test"]
    assert [each.status for each in rows.deliveries(sessions)] == ["dropped", "delivered"]
    assert rows.channel(sessions, channel_id).disabled_at is None


def test_a_receiver_that_hangs_delays_no_other(
    sessions: Sessions, receiver: Receiver, other_receiver: Receiver
) -> None:
    receiver.hang = threading.Event()
    hanging, _ = rows.new_channel(sessions, receiver.address, messages_an_hour=None)
    other, _ = rows.new_channel(sessions, other_receiver.address, messages_an_hour=None)
    for _ in range(20):
        rows.new_delivery(sessions, hanging, other)
    worker = rows.new_worker(sessions, timeout_s=60)

    while len(other_receiver.requests) < 20:
        worker.turn()

    assert len(receiver.requests) == 2
    receiver.hang.set()
    worker.finish()


def test_a_call_that_takes_too_long_has_failed(sessions: Sessions, receiver: Receiver) -> None:
    receiver.hang = threading.Event()
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions, timeout_s=0.5)

    (delivery,) = rows.deliveries(sessions)
    assert (delivery.status, delivery.last_status) == ("pending", None)
    assert "timed out" in str(delivery.last_error)


def test_a_delivery_that_a_killed_notifier_had_claimed_is_sent_when_its_lease_has_ended(
    sessions: Sessions, receiver: Receiver
) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    rows.new_delivery(sessions, channel_id)
    with sessions.begin() as session:
        session.execute(update(Delivery).values(claim_token="killed", next_try_at=utc_now() + LEASE))
    rows.deliver(sessions)
    before = len(receiver.requests)

    rows.make_due(sessions)
    rows.deliver(sessions)

    assert (before, len(receiver.requests)) == (0, 1)


def test_several_notifiers_share_the_work(sessions: Sessions, receiver: Receiver) -> None:
    channel_ids = [rows.new_channel(sessions, receiver.address)[0] for _ in range(5)]
    for _ in range(10):
        rows.new_delivery(sessions, *channel_ids)
    threads = [threading.Thread(target=rows.deliver, args=(sessions,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows.deliver(sessions)

    sent = [each.headers["webhook-id"] for each in receiver.requests]
    assert len(sent) == len(set(sent)) == 50


def test_what_is_delivered_again_has_its_id(sessions: Sessions, receiver: Receiver) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    (delivery_id,) = rows.new_delivery(sessions, channel_id)
    rows.deliver(sessions)
    with sessions.begin() as session:
        redeliver(session, delivery_id, now=utc_now())

    rows.deliver(sessions)

    ids = [each.headers["webhook-id"] for each in receiver.requests]
    assert len(ids) == 2
    assert len(set(ids)) == 1


@pytest.mark.parametrize("why", [holding.QUIET, holding.TOO_MANY])
def test_what_is_held_is_sent_at_once_when_it_is_delivered_again(
    sessions: Sessions, receiver: Receiver, why: str
) -> None:
    minute = utc_now().hour * 60 + utc_now().minute
    quiet: dict[str, Any] = {"quiet_from": minute, "quiet_until": (minute + 60) % 1440, "time_zone": "UTC"}
    options: dict[str, Any] = quiet if why == holding.QUIET else {"messages_an_hour": 1}
    channel_id, _ = rows.new_channel(sessions, receiver.address, **options)
    for _ in range(3):
        rows.new_delivery(sessions, channel_id)
    rows.deliver(sessions)
    before, at_first = rows.deliveries(sessions)[1], len(receiver.requests)
    with sessions.begin() as session:
        redeliver(session, before.id, now=utc_now())

    rows.deliver(sessions)

    after = rows.deliveries(sessions)[1]
    assert (before.status, before.last_error) == ("held", why)
    assert (after.status, after.last_error) == ("delivered", None)
    assert receiver.requests[-1].headers["webhook-id"] == before.message_id
    assert len(receiver.requests) == at_first + 1


@pytest.mark.parametrize("becomes", ["held", "dropped", "digested"])
def test_what_a_killed_notifier_had_claimed_can_be_delivered_again(
    sessions: Sessions, receiver: Receiver, becomes: str
) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    delivery_id, _ = (rows.new_delivery(sessions, channel_id)[0] for _ in range(2))
    minute = utc_now().hour * 60 + utc_now().minute
    quiet = {"quiet_from": minute, "quiet_until": (minute + 60) % 1440, "time_zone": "UTC"}
    states: dict[str, dict[str, Any]] = {
        "held": quiet,
        "dropped": {"disabled_at": utc_now(), "disabled_reason": "Gone."},
        "digested": {},
    }
    is_held = becomes == "digested"
    with sessions.begin() as session:
        session.execute(
            update(Delivery).values(claim_token="killed", status="held" if is_held else "pending")
        )
        session.execute(update(Channel).values({"name": "Ops"} | states[becomes]))
    rows.deliver(sessions)
    before = rows.deliveries(sessions)[0].status
    with sessions.begin() as session:
        session.execute(update(Channel).values(quiet_from=None, disabled_at=None))
        again = redeliver(session, delivery_id, now=utc_now())

    assert (before, again.status) == (becomes, "pending")


def test_a_private_address_is_refused_by_name(sessions: Sessions) -> None:
    channel_id, _ = rows.new_channel(sessions, "http://10.0.0.1/hook")
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions)

    (delivery,) = rows.deliveries(sessions)
    assert str(delivery.last_error).startswith("10.0.0.1 is not a public address")


def test_more_messages_than_an_hour_may_have_are_told_in_one(sessions: Sessions, receiver: Receiver) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address, messages_an_hour=3)
    for _ in range(10):
        rows.new_delivery(sessions, channel_id)
    rows.deliver(sessions)
    at_first = len(receiver.requests)
    with sessions.begin() as session:
        session.execute(update(Delivery).values(delivered_at=utc_now() - timedelta(hours=2)))
    rows.make_due(sessions)

    rows.deliver(sessions)

    assert at_first == 3
    (digest,) = receiver.requests[3:]
    assert digest.json["type"] == "digest"
    assert digest.json["data"]["count"] == 7
    assert len(digest.json["data"]["events"]) == 7


def test_however_many_were_held_one_message_tells_them(sessions: Sessions, receiver: Receiver) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    with sessions.begin() as session:
        for number in range(1_100):
            cause, now = f"held:{number}", utc_now()
            announce(session, "stock.out", rows.DATA, cause=cause, channel_ids=[channel_id], now=now)
        session.execute(update(Delivery).values(status="held", last_error=holding.TOO_MANY))

    rows.deliver(sessions)

    (digest,) = receiver.requests
    assert digest.json["data"]["count"] == 1_100
    assert 0 < len(digest.json["data"]["events"]) < 100
    assert len(digest.body) < 20_000
    assert {each.status for each in rows.deliveries(sessions)} == {"digested", "delivered"}


def test_quiet_hours_hold_back_and_end_in_one_summary(sessions: Sessions, receiver: Receiver) -> None:
    now = utc_now()
    minute = now.hour * 60 + now.minute
    quiet: dict[str, Any] = {
        "quiet_from": (minute - 60) % 1440,
        "quiet_until": (minute + 60) % 1440,
        "time_zone": "UTC",
    }
    channel_id, _ = rows.new_channel(sessions, receiver.address, **quiet)
    for _ in range(4):
        rows.new_delivery(sessions, channel_id)
    rows.deliver(sessions)
    at_first = len(receiver.requests)
    with sessions.begin() as session:
        session.execute(update(Channel).values(quiet_from=None, quiet_until=None, time_zone=None))
    rows.make_due(sessions)

    rows.deliver(sessions)

    assert at_first == 0
    assert [each.json["data"]["count"] for each in receiver.requests] == [4]
    assert [each.status for each in rows.deliveries(sessions)] == [*["digested"] * 4, "delivered"]


def test_a_time_zone_that_is_not_installed_concerns_its_channel_alone(
    sessions: Sessions, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    lost: dict[str, Any] = {"quiet_from": 0, "quiet_until": 1_439, "time_zone": f"Mars/{uuid4().hex}"}
    channel_ids = [rows.new_channel(sessions, receiver.address, **each)[0] for each in (lost, {})]
    rows.new_delivery(sessions, *channel_ids)

    rows.deliver(sessions)

    assert [each.status for each in rows.deliveries(sessions)] == ["delivered", "delivered"]
    assert [each.message for each in caplog.records].count(
        "a time zone is not installed: no quiet hours by it"
    ) == 1


@pytest.mark.parametrize(
    ("is_fired", "waits", "is_sent"),
    [(True, False, True), (False, True, True), (False, False, False)],
    ids=["still true", "true again", "over"],
)
def test_after_quiet_hours_what_is_over_is_dropped_and_starts_no_cooldown(
    sessions: Sessions, receiver: Receiver, is_fired: bool, waits: bool, is_sent: bool
) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    rule_id = _told_at_night(sessions, channel_id, is_fired=is_fired, waits=waits)

    rows.deliver(sessions)

    assert len(receiver.requests) == int(is_sent)
    with sessions() as session:
        state = session.scalars(select(AlertState).where(AlertState.rule_id == rule_id)).one()
    assert (state.fired_at is not None, state.fired_price is not None) == (is_sent, is_sent)


def test_what_one_channel_has_told_starts_a_cooldown_though_another_drops_it(
    sessions: Sessions, receiver: Receiver
) -> None:
    quiet, _ = rows.new_channel(sessions, receiver.address)
    loud, _ = rows.new_channel(sessions, receiver.address)
    rule_id = _told_at_night(sessions, quiet, is_fired=False, waits=False)
    with sessions.begin() as session:
        event_id = session.scalars(select(Event.id)).one()
        delivery = pending(event_id, loud, rule_id=rule_id, now=utc_now())
        delivery.status = "delivered"
        session.add(delivery)

    rows.deliver(sessions)

    with sessions() as session:
        assert session.scalars(select(AlertState.fired_at)).one() is not None
    assert [each.status for each in rows.deliveries(sessions)] == ["dropped", "delivered"]


def _told_at_night(sessions: Sessions, channel_id: int, *, is_fired: bool, waits: bool) -> int:
    """A rule that has fired in the quiet hours, which have just ended."""
    now = utc_now()
    with sessions.begin() as session:
        product_id = products.create(session, NewProduct("Hand mill", ""), now=now).id
        rule = RuleIn.model_validate({"kind": "threshold", "product_id": product_id, "price": 4_990})
        rule_id = rules.create(session, rule, now=now).id
        state = AlertState(rule_id=rule_id, product_id=product_id, is_fired=is_fired, seen_at=now)
        state.fired_at, state.fired_price = now - timedelta(hours=3), 4_990
        state.pending_since = now if waits else None
        event = Event(type="price.threshold", rule_id=rule_id, product_id=product_id, cause="night")
        event.data, event.occurred_at, event.created_at = json.dumps(rows.DATA), now, now
        session.add_all([state, event])
        session.flush()
        held = pending(event.id, channel_id, rule_id=rule_id, now=now)
        held.status, held.last_error = "held", holding.QUIET
        session.add(held)
    return rule_id


def test_a_channel_that_is_disabled_meanwhile_gets_no_digest(sessions: Sessions, receiver: Receiver) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    with sessions.begin() as session:
        session.execute(update(Channel).values(disabled_at=utc_now(), disabled_reason="Gone."))
    rows.new_delivery(sessions, channel_id, event_type="digest", data={"count": 0, "events": []})
    _held_until_now(sessions, channel_id, why=holding.TOO_MANY)

    rows.deliver(sessions)

    assert receiver.requests == []
    assert {each.status for each in rows.deliveries(sessions)} == {"dropped"}


def test_what_waited_for_its_hour_waits_on_if_quiet_hours_have_begun(
    sessions: Sessions, receiver: Receiver
) -> None:
    minute = utc_now().hour * 60 + utc_now().minute
    quiet: dict[str, Any] = {"quiet_from": minute, "quiet_until": (minute + 60) % 1440, "time_zone": "UTC"}
    channel_id, _ = rows.new_channel(sessions, receiver.address, **quiet)
    _held_until_now(sessions, channel_id, why=holding.TOO_MANY)

    rows.deliver(sessions)

    assert receiver.requests == []
    found = rows.deliveries(sessions)
    assert {(each.status, each.last_error) for each in found} == {("held", holding.QUIET)}
    assert all(each.next_try_at and each.next_try_at > utc_now() for each in found)


@pytest.mark.parametrize("change", ["no quiet hours", "no limit", "a limit still reached"])
def test_what_is_held_is_judged_anew_when_its_channel_changes(
    sessions: Sessions, receiver: Receiver, change: str
) -> None:
    minute = utc_now().hour * 60 + utc_now().minute
    quiet = {"quiet_from": minute, "quiet_until": (minute + 60) % 1440, "time_zone": "UTC"}
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, int]]] = {
        "no quiet hours": (quiet, dict.fromkeys(quiet), (0, 1)),
        "no limit": ({"messages_an_hour": 1}, {"messages_an_hour": None}, (1, 2)),
        "a limit still reached": ({"messages_an_hour": 2}, {"messages_an_hour": 1}, (2, 2)),
    }
    before, changes, sent = cases[change]
    channel_id, _ = rows.new_channel(sessions, receiver.address, **before)
    # So many that two are held in each case: one digest of them would be sent whatever the limit.
    for _ in range(4):
        rows.new_delivery(sessions, channel_id)
    rows.deliver(sessions)
    at_first = len(receiver.requests)
    with sessions.begin() as session:
        stored = channels.stored(session, channel_id)
        channels.change(session, stored, changes, Seal(None), now=utc_now())

    rows.deliver(sessions)

    assert (at_first, len(receiver.requests)) == sent


def _held_until_now(sessions: Sessions, channel_id: int, *, why: str) -> None:
    for _ in range(2):
        rows.new_delivery(sessions, channel_id)
    with sessions.begin() as session:
        events = select(Event.id).where(Event.type == "price.threshold")
        held = update(Delivery).where(Delivery.event_id.in_(events))
        session.execute(held.values(status="held", last_error=why))


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        (ChannelKind.SLACK, "text"),
        (ChannelKind.MATTERMOST, "text"),
        (ChannelKind.DISCORD, "content"),
        (ChannelKind.GOTIFY, "message"),
        (ChannelKind.APPRISE, "body"),
    ],
)
def test_each_service_gets_the_text_in_its_own_member(
    sessions: Sessions, receiver: Receiver, kind: ChannelKind, member: str
) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address, kind)
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions)

    (request,) = receiver.requests
    assert "Hand mill" in request.json[member]
    assert "4,990 CZK" in request.json[member]


def test_prices_have_decimals_for_people_and_none_for_programs(
    sessions: Sessions, receiver: Receiver, other_receiver: Receiver
) -> None:
    people, _ = rows.new_channel(sessions, receiver.address, ChannelKind.SLACK)
    programs, _ = rows.new_channel(sessions, other_receiver.address)
    sentence = "Tell Ops when Hand mill is at or below 5,000."
    rows.new_delivery(
        sessions, people, programs, data=rows.DATA | {"limit": 5_000, "rule": {"sentence": sentence}}
    )

    rows.deliver(sessions, price_decimals=2)

    text = receiver.requests[0].json["text"]
    assert "Now 49.90 CZK, before 52.90 CZK. Tell Ops when Hand mill is at or below 50.00." in text
    data = other_receiver.requests[0].json["data"]
    assert (data["price"], data["limit"], data["rule"]["sentence"]) == (4_990, 5_000, sentence)


def test_ntfy_gets_the_text_as_it_is_with_its_token(sessions: Sessions, receiver: Receiver) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address, ChannelKind.NTFY, secret="tk_1")
    rows.new_delivery(sessions, channel_id, data=rows.DATA | {"product": {"name": "Kávovar"}})

    rows.deliver(sessions)

    (request,) = receiver.requests
    assert "Kávovar" in request.body.decode()
    assert request.headers["Authorization"] == "Bearer tk_1"
    assert request.headers["X-Title"].isascii()


def test_ntfy_gets_no_more_text_than_it_takes(sessions: Sessions, receiver: Receiver) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address, ChannelKind.NTFY)
    news = {"type": "price.threshold", "data": rows.DATA | {"product": {"name": "Kávovar" * 15}}}
    rows.new_delivery(sessions, channel_id, event_type="digest", data={"count": 20, "events": [news] * 20})

    rows.deliver(sessions)

    (request,) = receiver.requests
    assert 4_090 < len(request.body) <= 4_096
    assert request.body.decode().endswith("…")


def test_a_receiver_that_is_away_is_no_success(sessions: Sessions) -> None:
    with receiving(Receiver()) as away:
        pass
    channel_id, _ = rows.new_channel(sessions, away.address)
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions)

    (delivery,) = rows.deliveries(sessions)
    assert (delivery.status, delivery.attempts) == ("pending", 1)
    assert rows.channel(sessions, channel_id).failing_since is not None


def test_when_few_can_be_claimed_all_channels_get_a_share(sessions: Sessions) -> None:
    channel_ids = [rows.new_channel(sessions, "http://127.0.0.1:9/")[0] for _ in range(4)]
    for _ in range(8):
        rows.new_delivery(sessions, *channel_ids)

    with sessions.begin() as session:
        due = due_channels(session, utc_now())
        in_hand = {channel_ids[0]: 2}
        found = claims.claim(session, "mine", due, in_hand, most=8, now=utc_now(), lease=LEASE)

    assert sorted(each.channel.id for each in found) == sorted(channel_ids * 2)


def test_notifiers_together_keep_to_what_an_hour_may_have(sessions: Sessions) -> None:
    channel_id, _ = rows.new_channel(sessions, "http://127.0.0.1:9/", messages_an_hour=3)
    for _ in range(8):
        rows.new_delivery(sessions, channel_id)

    claimed = []
    for token in ("mine", "another's"):
        with sessions.begin() as session:
            now = utc_now()
            due = due_channels(session, now)
            claimed += claims.claim(session, token, due, {}, most=8, now=now, lease=LEASE)

    assert len(claimed) == 3


def test_channels_are_locked_in_the_order_of_their_ids_whatever_became_of_the_tries(
    sessions: Sessions, statements: list[str]
) -> None:
    fails, succeeds = (rows.new_channel(sessions, "http://127.0.0.1:9/")[0] for _ in range(2))
    rows.new_delivery(sessions, fails, succeeds)
    with sessions.begin() as session:
        now = utc_now()
        due = due_channels(session, now)
        claimed = claims.claim(session, "mine", due, {}, most=8, now=now, lease=LEASE)
    outcomes = [DeliveryOutcome(each, "x" if each.channel.id == fails else None) for each in claimed]
    statements.clear()

    with sessions.begin() as session:
        results.store(session, outcomes, now=now, chance=random.Random(1))

    about_channels = [each for each in statements if "channels" in each]
    assert about_channels[0].startswith("SELECT channels.id")
    assert "ORDER BY channels.id" in about_channels[0]
    assert ("FOR UPDATE" in about_channels[0]) == (session.get_bind().dialect.name != "sqlite")
    assert {rows.channel(sessions, each).failing_since is None for each in (fails, succeeds)} == {True, False}


def test_a_claim_whose_commit_was_not_answered_is_found_when_it_is_repeated(sessions: Sessions) -> None:
    channel_id, _ = rows.new_channel(sessions, "http://127.0.0.1:9/")
    rows.new_delivery(sessions, channel_id)

    def claim() -> list[int]:
        now = utc_now()
        with sessions.begin() as session:
            due = due_channels(session, now)
            found = claims.claim(session, "mine", due, {}, most=8, now=now, lease=LEASE)
        return [each.delivery_id for each in found]

    assert len(claim()) == 1
    assert claim() == [rows.deliveries(sessions)[0].id]


PATH_ONLY: dict[str, Any] = {**rows.DATA, "product": {"id": 13, "name": "Hand mill", "url": "/products/13"}}
WHOLE = "https://shop.example/prices/products/13"


@pytest.mark.parametrize("kind", ["slack", "mattermost", "discord", "ntfy", "gotify", "apprise"])
def test_the_link_of_a_message_is_whole_or_left_out(
    sessions: Sessions, receiver: Receiver, kind: str
) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address, ChannelKind(kind))
    for public_url in ("https://shop.example/prices", None):
        rows.new_delivery(sessions, channel_id, data=PATH_ONLY)
        rows.deliver(sessions, public_url=public_url)

    linked, unlinked = receiver.requests
    assert WHOLE in (linked.headers["X-Click"] if kind == "ntfy" else linked.body.decode())
    assert "X-Click" not in unlinked.headers
    assert "/products/13" not in unlinked.body.decode()


def test_a_webhook_and_its_digest_have_whole_addresses(sessions: Sessions, receiver: Receiver) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    digest = {"count": 1, "events": [{"type": "price.threshold", "data": PATH_ONLY}]}
    rows.new_delivery(sessions, channel_id, data=PATH_ONLY)
    rows.new_delivery(sessions, channel_id, event_type="digest", data=digest)
    rows.deliver(sessions, public_url="https://shop.example/prices")

    first, second = sorted(
        (json.loads(each.body)["data"] for each in receiver.requests), key=len, reverse=True
    )
    assert first["product"]["url"] == WHOLE
    assert second["events"][0]["data"]["product"]["url"] == WHOLE
