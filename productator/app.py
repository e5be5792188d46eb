"""Builds and wires the web application; decides nothing."""

from collections.abc import Callable, Iterable

from flask import Flask

from productator.access.identity_provider import IdentityProvider
from productator.access.jwt_keys import KeySet
from productator.alerts.sealing import Seal
from productator.api.conventions import auth, cors, cursors, parsing, problems, rate_limits, responses
from productator.api.conventions.forwarding import Forwarding
from productator.api.openapi.routes import openapi_document
from productator.api.probes import probes
from productator.api.resources.alert_rules import alerts
from productator.api.resources.channels import channels
from productator.api.resources.deliveries import deliveries
from productator.api.resources.offer_history import history
from productator.api.resources.offers import offers
from productator.api.resources.prices import prices
from productator.api.resources.products import products
from productator.config import Settings
from productator.database import web
from productator.ops.shared_counters import make_counters
from productator.ops.uwsgi_requests import AT_WORK, RequestCorrection, is_uwsgi
from productator.web.docs import docs
from productator.web.mute_pages import mute_pages
from productator.web.problem_pages import problem_pages

# A development server starts a thread for each connection, without a limit.
_AT_WORK_ELSEWHERE = 16


def create_app(settings: Settings) -> Flask:
    app = web.RetryingFlask("productator", static_folder=None)
    app.config["CURRENCY"] = settings.currency
    app.config["REFRESHER_PERIOD_S"] = settings.refresher_period_s
    app.config["REQUIRE_IF_MATCH"] = settings.require_if_match
    app.config["ALERT_NETWORKS"] = settings.alert_networks
    app.config["CHANNEL_SEAL"] = Seal(settings.secret_key)
    # One stays free for what needs no database.
    places = (AT_WORK if is_uwsgi() else _AT_WORK_ELSEWHERE) - 1
    web.init_app(app, settings.database_url, budget_s=settings.request_budget_s, places=places)
    responses.init_app(app)
    parsing.init_app(app)
    rate_limits.init_app(app, settings.rate_limit, make_counters())
    auth.init_app(
        app, mode=settings.auth, admin_token=settings.admin_token, provider=_identity_provider(settings)
    )
    rate_limits.count_callers(app)
    parsing.refuse_unreadable(app)
    cors.init_app(app, settings.cors_origins)
    problems.init_app(app)
    cursors.init_app(app, settings.secret_key)
    app.wsgi_app = _server_side(app, settings)  # type: ignore[method-assign]
    for blueprint in (
        *(products, offers, history, prices, alerts, channels, deliveries),
        *(probes, openapi_document, docs, problem_pages, mute_pages),
    ):
        app.register_blueprint(blueprint)
    return app


def _identity_provider(settings: Settings) -> IdentityProvider | None:
    if not (settings.jwt_issuer and settings.jwt_audience and settings.jwt_jwks_url):
        return None
    keys = KeySet(settings.jwt_jwks_url)
    return IdentityProvider(issuer=settings.jwt_issuer, audience=settings.jwt_audience, keys=keys)


def _server_side(app: Flask, settings: Settings) -> Callable[..., Iterable[bytes]]:
    """The middleware between the server and the application."""
    corrected = RequestCorrection(app.wsgi_app, max_bytes=parsing.MAX_BODY_BYTES)
    return Forwarding(corrected, trusted_proxies=settings.trusted_proxies, public_url=settings.public_url)
