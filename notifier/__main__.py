"""Starts the notifier: `python -m notifier`, until it is stopped."""

import logging
import os
import random
from collections.abc import Callable
from datetime import timedelta

import click
from prometheus_client import CollectorRegistry
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from notifier.in_hand import UNDER_WAY_A_CHANNEL
from notifier.maintenance import NotifierMaintenance
from notifier.metrics import NotifierMetrics
from notifier.queue.store import Store
from notifier.sending.http import HttpSender
from notifier.sending.mail import MailSender
from notifier.sending.smtp import MailServer
from notifier.worker import DeliveryWorker
from productator.access import installation_keys
from productator.alerts.evaluating import Evaluator
from productator.alerts.mute_links import mute_path
from productator.alerts.sealing import Seal
from productator.config import Settings
from productator.database.engine import make_engine
from productator.database.failures import reason
from productator.errors import ConfigError
from productator.ops import logging as log_lines
from productator.workers import probes
from productator.workers.background import Background
from productator.workers.stopping import stop_on_signals

log = logging.getLogger("notifier")

_STALLED_AFTER_S = 60.0
_CONNECTIONS = 250 * UNDER_WAY_A_CHANNEL


@click.command()
def main() -> None:
    """Evaluates alert rules and delivers what they tell."""
    try:
        settings = Settings.load(os.environ.get("NOTIFIER_CONFIG"), os.environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    log_lines.configure(settings.log_format)
    stop = stop_on_signals()
    registry = CollectorRegistry()
    heartbeat = probes.Heartbeat(longest_s=_STALLED_AFTER_S)
    _serve_probes(settings, heartbeat, registry)
    sessions = sessionmaker(make_engine(settings.database_url))
    metrics = NotifierMetrics(registry)
    worker = make_worker(settings, sessions, metrics)
    maintenance = InBackground(NotifierMaintenance(sessions, metrics).turn)

    def on_turn() -> None:
        maintenance.turn()
        # A loop that turns while a thread does not get on has stalled as well.
        if max(worker.waits_for_database_s, maintenance.busy_s) < heartbeat.longest_s:
            heartbeat.beat(has_database=worker.has_database)

    log.info(
        "delivering alerts",
        # Started in another directory without settings, the notifier has another SQLite file.
        extra={
            "database": make_url(settings.database_url).render_as_string(hide_password=True),
            "secrets": "encrypted" if settings.secret_key else "stored as they are",
        },
    )
    worker.run(stop, on_turn=on_turn)
    worker.finish()
    log.info("stopped")


def _serve_probes(settings: Settings, heartbeat: probes.Heartbeat, registry: CollectorRegistry) -> None:
    port = settings.notifier_metrics_port
    if not port:
        return
    try:
        probes.serve(settings.listen_host, port, heartbeat=heartbeat, registry=registry)
    except OSError as error:
        raise click.ClickException(
            f"The notifier cannot listen on NOTIFIER_METRICS_PORT {port}: {error.strerror}."
        ) from error


def make_worker(
    settings: Settings, sessions: sessionmaker[Session], metrics: NotifierMetrics
) -> DeliveryWorker:
    period = timedelta(seconds=settings.refresher_period_s)
    http = HttpSender(settings.alert_networks, concurrency=_CONNECTIONS)
    mail = MailSender(
        mail_server(settings),
        allowed=settings.alert_networks,
        mute_link=_mute_link(sessions, settings.public_url),
        wake=http.wake,
        price_decimals=settings.price_decimals,
    )
    return DeliveryWorker(
        evaluator=Evaluator(sessions, period, currency=settings.currency),
        store=Store(sessions, random.Random()),  # noqa: S311 - jitter, not a secret
        http=http,
        mail=mail,
        seal=Seal(settings.secret_key, settings.previous_secret_key),
        public_url=settings.public_url,
        price_decimals=settings.price_decimals,
        metrics=metrics,
    )


def mail_server(settings: Settings) -> MailServer | None:
    if settings.smtp_host is None:
        return None
    return MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_user,
        settings.smtp_password,
        settings.smtp_from,
        starttls=settings.smtp_starttls,
        ca_file=settings.smtp_ca_file,
    )


def _mute_link(sessions: sessionmaker[Session], public_url: str | None) -> Callable[[int], str | None]:
    """Mails carry the link only where the operator says at which address people reach the pages."""

    def link(rule_id: int) -> str | None:
        if public_url is None:
            return None
        with sessions.begin() as session:
            key = installation_keys.find_or_make(session.connection(), installation_keys.MUTE_LINKS)
        return public_url + mute_path(rule_id, key)

    return link


class InBackground:
    """Repeats a piece of work in a thread; no failure ends it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._thread: Background[None] = Background("maintenance", wake=lambda: None)

    @property
    def busy_s(self) -> float:
        return self._thread.busy_s

    def turn(self) -> None:
        try:
            self._thread.take()
        except SQLAlchemyError as error:
            log.warning("maintenance failed; it is repeated", extra={"error": reason(error)})
        if not self._thread.is_busy:
            self._thread.start(self._work)


if __name__ == "__main__":
    main()
