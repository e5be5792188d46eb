"""The loop: evaluates rules, claims deliveries, sends them, stores what became of them.

Evaluating and the queue's statements have a thread each, calls have libcurl, and mails have threads, so the
loop waits for none of them. Two messages of a channel are under way at a time, so a slow receiver delays no
other.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy.exc import DBAPIError

from notifier.evaluation_thread import Evaluates, EvaluationThread
from notifier.in_hand import ClaimsInHand
from notifier.metrics import NotifierMetrics
from notifier.queue.claims import DeliveryClaim
from notifier.queue.results import DeliveryOutcome
from notifier.queue.store import Run, Store
from notifier.sending.formats import request_for
from notifier.sending.http import HttpSender
from notifier.sending.links import with_links
from notifier.sending.mail import MailSender
from productator.alerts.channels import ChannelKind
from productator.alerts.sealing import Seal, SecretUnreadable
from productator.database.failures import is_transient, is_unmigrated, reason
from productator.domain import utc_now
from productator.workers.background import Background
from productator.workers.stopping import StopFlag

log = logging.getLogger(__name__)

MOST_IN_HAND = 1_000
# How soon a delivery that has become due is noticed.
_IDLE_S = 0.4
# After a failure of the database, or an error that nobody foresaw.
_PAUSE_S = 1.0
# Of a stop, at most ten seconds: calls, and then storing what became of them.
_CALLS_S, _STORING_S = 5.0, 3.0


class DeliveryWorker:
    def __init__(
        self,
        *,
        evaluator: Evaluates,
        store: Store,
        http: HttpSender,
        mail: MailSender,
        seal: Seal,
        metrics: NotifierMetrics,
        public_url: str | None = None,
        price_decimals: int = 0,
    ) -> None:
        """`public_url` is the address before the paths of pages; None: messages to people have no link."""
        self._public_url = public_url
        self._price_decimals = price_decimals
        self._store = store
        self._http = http
        self._mail = mail
        self._seal = seal
        self._metrics = metrics
        self._queue = ClaimsInHand()
        self._storing: Background[Run] = Background("queue", wake=http.wake)
        self._evaluating = EvaluationThread(evaluator, metrics, wake=http.wake)
        # What ended since the last run, and what that run is storing.
        self._outcomes: list[DeliveryOutcome] = []
        self._being_stored: list[DeliveryOutcome] = []
        self._run_at = 0.0
        self._paused_until = 0.0
        self.has_database = False
        # Whether the last run found nothing to send.
        self._has_claimed_all = False

    @property
    def waits_for_database_s(self) -> float:
        """For how long the database has kept one of the threads waiting."""
        return max(self._storing.busy_s, self._evaluating.busy_s)

    @property
    def is_idle(self) -> bool:
        return self._has_claimed_all and not (self._queue.in_hand or self._outcomes or self._being_stored)

    def run(self, stop: StopFlag, *, on_turn: Callable[[], None]) -> None:
        """Delivers until asked to stop."""
        while not stop.requested:
            try:
                self.turn()
                on_turn()
            except Exception:
                log.exception("a turn of the loop failed")
                time.sleep(_PAUSE_S)

    def turn(self) -> None:
        """Moves every step on; ends when something has arrived, or after a fraction of a second."""
        self._evaluating.turn()
        self._take_run()
        self._send()
        self._receive(_IDLE_S)
        now = time.monotonic()
        is_due = self._outcomes or now >= self._run_at
        if is_due and now >= self._paused_until and not self._storing.is_busy:
            self._start_run()

    def finish(self) -> None:
        """Waits a little for what is under way, stores it, and gives the other claims back."""
        self._evaluating.stop()
        unsent = self._queue.drop_waiting()
        until = time.monotonic() + _CALLS_S
        while time.monotonic() < until and self._is_busy:
            self._receive(min(_IDLE_S, max(0.0, until - time.monotonic())))
            unsent += self._take_last_run()
        self._http.close()
        # In a thread: a database that hangs must not keep the process from ending.
        last = Background[None]("last", wake=lambda: None)
        outcomes = [*self._being_stored, *self._outcomes]
        last.start(partial(self._store_last, outcomes, unsent))
        try:
            last.take(wait_s=_STORING_S)
        except DBAPIError as error:
            log.warning("outcomes were not stored: their leases end", extra={"error": reason(error)})
        if last.is_busy:
            log.warning("outcomes were not stored in time: what was sent is sent again when its lease ends")

    def _store_last(self, outcomes: list[DeliveryOutcome], unsent: list[DeliveryClaim]) -> None:
        self._store.save(outcomes)
        self._store.give_back(unsent)
        self._evaluating.give_back()

    @property
    def _is_busy(self) -> bool:
        return bool(self._queue.in_hand or self._storing.is_busy or self._evaluating.is_working)

    def _take_last_run(self) -> list[DeliveryClaim]:
        try:
            run = self._storing.take()
        except DBAPIError:
            return []
        if run is None:
            return []
        self._being_stored = []
        return list(run.claimed)

    def _take_run(self) -> None:
        try:
            run = self._storing.take()
        except Exception as error:
            self._outcomes = self._being_stored + self._outcomes
            self._being_stored, self._paused_until = [], time.monotonic() + _PAUSE_S
            if not isinstance(error, DBAPIError):
                raise
            self.has_database = not (is_transient(error) or is_unmigrated(error))
            what = (
                "the database refuses a statement" if self.has_database else "the database is not available"
            )
            log.warning(what, extra={"error": reason(error), "deliveries_to_store": len(self._outcomes)})
            return
        if run is None:
            return
        if self._paused_until and not self.has_database:
            log.info("the database is available again")
        self._paused_until, self.has_database, self._being_stored = 0.0, True, []
        self._queue.add(run.claimed)
        self._has_claimed_all = not run.claimed
        self._metrics.count_deliveries(run.counts)
        # What was claimed makes room for more only when it has ended.
        self._run_at = time.monotonic() + _IDLE_S

    def _start_run(self) -> None:
        self._being_stored, self._outcomes = self._outcomes, []
        work = partial(
            self._store.run,
            self._being_stored,
            dict(self._queue.in_hand),
            most=MOST_IN_HAND - self._queue.in_hand.total(),
        )
        self._storing.start(work)

    def _send(self) -> None:
        for claimed in self._queue.next():
            if claimed.has_lapsed:
                self._end([DeliveryOutcome(claimed, None, is_lapsed=True)])
                continue
            claim = replace(claimed, data=with_links(claimed.data, self._public_url))
            if claim.channel.kind == ChannelKind.EMAIL:
                self._mail.send(claim)
                continue
            try:
                request = request_for(claim, self._seal, now=utc_now(), decimals=self._price_decimals)
                self._http.send(claim, request)
            except SecretUnreadable as error:
                self._end([DeliveryOutcome(claim, str(error))])
            except Exception as error:
                # The others are sent all the same, and its channel is not blocked.
                log.exception("a message could not be made", extra={"delivery_id": claim.delivery_id})
                self._end([DeliveryOutcome(claim, f"making the message failed: {type(error).__name__}")])
        self._metrics.set_under_way(self._http.under_way + self._mail.under_way)

    def _receive(self, wait_s: float) -> None:
        self._end(self._mail.receive())
        self._end(self._http.receive(0.0 if self._outcomes else wait_s))
        self._end(self._mail.receive())

    def _end(self, outcomes: list[DeliveryOutcome]) -> None:
        for outcome in outcomes:
            self._queue.end(outcome.claim)
            if outcome.is_lapsed:
                log.info(
                    "its claim lapsed before it was sent", extra={"delivery_id": outcome.claim.delivery_id}
                )
            elif outcome.error is not None:
                log.warning(
                    "not delivered",
                    extra={
                        "delivery_id": outcome.claim.delivery_id,
                        "channel_id": outcome.claim.channel.id,
                        "attempt": outcome.claim.attempts + 1,
                        "error": outcome.error,
                    },
                )
        self._outcomes += [each for each in outcomes if not each.is_lapsed]
