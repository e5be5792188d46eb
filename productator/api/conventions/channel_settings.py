"""What changes of channels need of the application's settings."""

from collections.abc import Collection

from flask import current_app

from productator.alerts.sealing import Seal
from productator.domain import Network


def channel_seal() -> Seal:
    """Encrypts the secrets that are stored."""
    seal: Seal = current_app.config["CHANNEL_SEAL"]
    return seal


def alert_networks() -> Collection[Network]:
    """Networks that alerts may go to although they are not public."""
    networks: Collection[Network] = current_app.config["ALERT_NETWORKS"]
    return networks
