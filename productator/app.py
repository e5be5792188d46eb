"""Builds and wires the web application; decides nothing."""

from collections.abc import Callable, Iterable

from flask import Flask

from productator.access.identity_provider import IdentityProvider
from productator.access.jwt_keys import KeySet
from productator.alerts.sealing import Seal
from productator.api import observation
from productator.api.conventions import (
    auth,
    caching,
    cors,
    cursors,
    parsing,
    problems,
    rate_limits,
    replica_reads,
    responses,
)
from productator.api.conventions.forwarding import Forwarding
from productator.api.openapi.routes import openapi_document
from productator.api.probes import probes
from productator.api.resources import system as system_state
from productator.api.resources.alert_rules import alerts
from productator.api.resources.channels import channels
from productator.api.resources.deliveries import deliveries
from productator.api.resources.offer_history import history
from productator.api.resources.offers import offers
from productator.api.resources.prices import prices
from productator.api.resources.products import products
from productator.api.resources.system import system
from productator.api.resources.tokens import tokens
from productator.config import Settings
from productator.database import web
from productator.database.application import RetryingFlask
from productator.database.migrate import newest_revision
from productator.ops.draining import Draining
from productator.ops.metrics import ApiMetrics
from productator.ops.shared_counters import make_counters
from productator.ops.threads import without_signals
from productator.ops.uwsgi_requests import AT_WORK, RequestCorrection, is_uwsgi
from productator.web import pages
from productator.web.alert_channel_forms import alert_channel_forms
from productator.web.alert_channel_pages import alert_channel_pages
from productator.web.alert_delivery_pages import alert_delivery_pages
from productator.web.alert_pages import alert_pages
from productator.web.alert_rule_forms import alert_rule_forms
from productator.web.docs import docs
from productator.web.exports import exports
from productator.web.feeds import feed_of_all, feeds
from productator.web.mute_pages import mute_pages
from productator.web.offer_forms import offer_forms
from productator.web.problem_pages import problem_pages
from productator.web.product_forms import product_forms
from productator.web.product_list import product_list
from productator.web.product_page import product_page
from productator.web.sign_in import sign_in
from productator.web.system_page import system_page
from productator.web.token_pages import token_pages

# A development server starts a thread for each connection, without a limit.
_AT_WORK_ELSEWHERE = 16
_PAGES = (
    product_list,
    product_page,
    product_forms,
    offer_forms,
    exports,
    feeds,
    feed_of_all,
    sign_in,
    system_page,
    token_pages,
    alert_pages,
    alert_rule_forms,
    alert_channel_pages,
    alert_channel_forms,
    alert_delivery_pages,
)


def create_app(settings: Settings) -> Flask:
    app = RetryingFlask("productator", static_folder=None)
    app.config["JWT_HEADER"] = settings.jwt_header
    app.config["CURRENCY"] = settings.currency
    app.config["AUTH"] = settings.auth
    app.config["PRICE_DECIMALS"] = settings.price_decimals
    app.config["REFRESHER_PERIOD_S"] = settings.refresher_period_s
    app.config["REQUIRE_IF_MATCH"] = settings.require_if_match
    app.config["DRAINING"] = _draining(settings)
    app.config["ALERT_NETWORKS"] = settings.alert_networks
    app.config["CHANNEL_SEAL"] = Seal(settings.secret_key, settings.previous_secret_key)
    # One stays free for what needs no database.
    places = (AT_WORK if is_uwsgi() else _AT_WORK_ELSEWHERE) - 1
    metrics = ApiMetrics(schema=newest_revision(), connections=places)
    observation.init_app(app, metrics)
    web.init_app(
        app,
        settings.database_url,
        budget_s=settings.request_budget_s,
        places=places,
        slow_statement_ms=settings.slow_statement_ms,
        metrics=metrics,
    )
    responses.init_app(app)
    parsing.init_app(app)
    rate_limits.init_app(app, settings.rate_limit, make_counters())
    auth.init_app(
        app, mode=settings.auth, admin_token=settings.admin_token, provider=_identity_provider(settings)
    )
    _use_replica(app, settings, metrics)
    caching.init_app(app, cache_s=settings.cache_s, is_all_private=settings.auth == "all")
    rate_limits.count_callers(app)
    parsing.refuse_unreadable(app)
    cors.init_app(app, settings.cors_origins)
    problems.init_app(app)
    cursors.init_app(app, settings.secret_key)
    system_state.init_app(app, settings.retention)
    app.wsgi_app = _server_side(app, settings, metrics)  # type: ignore[method-assign]
    for blueprint in (
        *(products, offers, history, prices, tokens, system),
        *(alerts, channels, deliveries),
        *(probes, openapi_document, docs, problem_pages, mute_pages),
    ):
        app.register_blueprint(blueprint)
    app.register_blueprint(observation.metrics)
    if settings.pages:
        pages.init_app(app, _PAGES)
    return app


def _use_replica(app: Flask, settings: Settings, metrics: ApiMetrics) -> None:
    if settings.database_replica_url is None:
        return
    replica = web.use_replica(
        app,
        settings.database_replica_url,
        most_lag_s=settings.database_replica_lag_s,
        slow_statement_ms=settings.slow_statement_ms,
        metrics=metrics,
    )
    replica_reads.init_app(app, replica, budget_s=settings.request_budget_s)
    with without_signals():
        replica.start()


def _identity_provider(settings: Settings) -> IdentityProvider | None:
    if not (settings.jwt_issuer and settings.jwt_audience and settings.jwt_jwks_url):
        return None
    keys = KeySet(settings.jwt_jwks_url, ca_file=settings.ca_file)
    return IdentityProvider(issuer=settings.jwt_issuer, audience=settings.jwt_audience, keys=keys)


def _draining(settings: Settings) -> Draining:
    draining = Draining(for_s=settings.drain_s)
    if settings.drain_s and is_uwsgi():
        draining.start()
    return draining


def _server_side(app: Flask, settings: Settings, metrics: ApiMetrics) -> Callable[..., Iterable[bytes]]:
    """The middleware between the server and the application."""
    corrected = RequestCorrection(app.wsgi_app, max_bytes=parsing.MAX_BODY_BYTES)
    forwarded = Forwarding(
        corrected,
        trusted_proxies=settings.trusted_proxies,
        public_url=settings.public_url,
        kept=settings.jwt_header,
    )
    return observation.RequestsInProgress(forwarded, metrics)
