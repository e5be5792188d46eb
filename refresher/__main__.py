"""Starts the refresher: `python -m refresher`, until it is stopped, or `python -m refresher --once`."""

import gc
import logging
import os
import sys
from collections import Counter
from datetime import timedelta

import click
from prometheus_client import CollectorRegistry
from sqlalchemy import func, make_url, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from productator.config import Settings
from productator.database.engine import make_engine
from productator.database.failures import reason
from productator.domain import utc_now
from productator.errors import ConfigError
from productator.models import Refresh
from productator.offers_service.access_token import FixedTokenSource, SharedTokenSource, TokenSource
from productator.offers_service.http_call import HttpCall
from productator.ops import logging as log_lines
from productator.ops import tracing
from productator.outgoing import without_user
from productator.workers import probes
from productator.workers.stopping import StopFlag, stop_on_signals
from refresher.fetching.circuit_breaker import CircuitBreaker
from refresher.fetching.fetcher import Fetcher
from refresher.fetching.transport import Transport
from refresher.leases.leases import Leases
from refresher.leases.schedule import Rhythm
from refresher.maintenance import Maintenance
from refresher.metrics import Backlog, Metrics
from refresher.storing.writer import BatchWriter
from refresher.worker import OnceReport, Worker

log = logging.getLogger("refresher")

_STALLED_AFTER_PERIODS = 2
_SWITCH_INTERVAL_S = 0.0005
# With `--once`: how many reasons of failures it prints.
_MOST_REASONS = 5


@click.command()
@click.option(
    "--once", is_flag=True, help="Refresh everything that is due, once; exit code 1 if anything failed."
)
def main(*, once: bool) -> None:
    """Keeps the offers of all products fresh."""
    try:
        settings = Settings.load(os.environ.get("REFRESHER_CONFIG"), os.environ)
        traces = tracing.start(settings.traces_address, service="productator-refresher")
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    log_lines.configure(settings.log_format)
    if traces is not None:
        HttpCall.new_span = traces.call
    stop = stop_on_signals()
    if once:
        sys.exit(_refresh_once(settings, stop))
    _refresh_until_stopped(settings, stop)


def _refresh_until_stopped(settings: Settings, stop: StopFlag) -> None:
    registry = CollectorRegistry()
    heartbeat = probes.Heartbeat(longest_s=max(_STALLED_AFTER_PERIODS * settings.refresher_period_s, 30))
    if settings.refresher_metrics_port:
        try:
            probes.serve(
                settings.listen_host, settings.refresher_metrics_port, heartbeat=heartbeat, registry=registry
            )
        except OSError as error:
            port = settings.refresher_metrics_port
            raise click.ClickException(
                f"The refresher cannot listen on REFRESHER_METRICS_PORT {port}: {error.strerror}."
            ) from error
    sessions = sessionmaker(make_engine(settings.database_url))
    metrics = Metrics(registry)
    worker = make_worker(settings, sessions, metrics)
    maintenance = Maintenance(
        sessions,
        settings.retention,
        _rhythm(settings),
        Backlog(registry, period_s=settings.refresher_period_s),
        metrics.vitals,
    )

    def on_turn() -> None:
        maintenance.turn()
        # A loop that turns while a thread does not get on has stalled as well.
        if max(worker.waits_for_database_s, maintenance.busy_s) < heartbeat.longest_s:
            heartbeat.beat(has_database=worker.has_database and maintenance.has_database)

    log.info(
        "refreshing every %g s from %s",
        *(settings.refresher_period_s, without_user(settings.offers_address)),
        # Started in another directory without settings, the refresher has another SQLite file.
        extra={"database": make_url(settings.database_url).render_as_string(hide_password=True)},
    )
    worker.run(stop, on_turn=on_turn)
    worker.finish()
    log.info("stopped")


def _refresh_once(settings: Settings, stop: StopFlag) -> int:
    sessions = sessionmaker(make_engine(settings.database_url))
    try:
        due = _count_due(sessions)
    except SQLAlchemyError as error:
        raise click.ClickException(f"The database cannot be used: {reason(error)}.") from error
    worker = make_worker(settings, sessions, Metrics(CollectorRegistry()))
    with click.progressbar(
        length=due, label=f"Refreshing {due} products", hidden=not sys.stdout.isatty()
    ) as bar:
        report = worker.run_once(stop, on_progress=bar.update)
    report.stored.add(worker.finish())
    _print(report, address=without_user(settings.offers_address))
    return 0 if report.is_success else 1


def _print(report: OnceReport, *, address: str) -> None:
    """Says what failed, for how many products and why; logs may be read by nobody."""
    stored = report.stored
    click.echo(f"Products refreshed: {stored.refreshed}; failed: {stored.failed}.")
    for message, times in Counter(message for _, message in stored.errors).most_common(_MOST_REASONS):
        click.echo(f"Failed for {times} products at {address}: {message}", err=True)
    if stored.refused_offers:
        product_id, note = stored.incomplete[0]
        click.echo(
            f"Refused {stored.refused_offers} offers of {len(stored.incomplete)} products;"
            f" product {product_id}: {note}",
            err=True,
        )
    if report.ended_early:
        click.echo(f"Other products that are due were not tried: {report.ended_early}.", err=True)


def _count_due(sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        return (
            session.scalar(
                select(func.count())
                .select_from(Refresh)
                .where(Refresh.pending.in_([False, True]), Refresh.due_at <= utc_now())
            )
            or 0
        )


def make_worker(settings: Settings, sessions: sessionmaker[Session], metrics: Metrics) -> Worker:
    # Storing has a thread of its own; with the usual 5 ms each of its steps would keep the calls waiting.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # What is loaded by now stays loaded. Searching it for garbage again and again took a twelfth of all time.
    gc.freeze()
    rhythm = _rhythm(settings)
    transport = Transport(
        settings.offers_address,
        concurrency=settings.refresher_concurrency,
        timeout_s=settings.offers_timeout_s,
        ca_file=settings.ca_file,
    )
    return Worker(
        Leases(sessions, rhythm, wake=transport.wake),
        Fetcher(transport, _token_source(settings, sessions), most_offers=settings.max_offers),
        BatchWriter(sessions, period=rhythm.period, wake=transport.wake),
        CircuitBreaker(probe_every_s=settings.refresher_period_s),
        metrics,
    )


def _rhythm(settings: Settings) -> Rhythm:
    return Rhythm(
        period=timedelta(seconds=settings.refresher_period_s),
        # Registering and reading, after others that do so, a wait for the access token, and storing.
        lease=timedelta(seconds=6 * settings.offers_timeout_s + 5),
    )


def _token_source(settings: Settings, sessions: sessionmaker[Session]) -> TokenSource:
    if settings.offers_token is not None:
        return FixedTokenSource(settings.offers_token)
    return SharedTokenSource(
        HttpCall(settings.offers_address, timeout_s=settings.offers_timeout_s, ca_file=settings.ca_file),
        sessions,
        address=settings.offers_address,
        refresh_token=settings.offers_refresh_token,
        timeout_s=settings.offers_timeout_s,
    )


if __name__ == "__main__":
    main()
