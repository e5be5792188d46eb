"""How a worker is asked to stop."""

import signal
from dataclasses import dataclass


@dataclass
class StopFlag:
    """A plain flag: setting a threading.Event in a signal handler can deadlock."""

    requested: bool = False


def stop_on_signals() -> StopFlag:
    """A flag that SIGTERM and SIGINT set."""
    stop = StopFlag()

    def request_stop(_signal: int, _frame: object) -> None:
        stop.requested = True

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)
    return stop
