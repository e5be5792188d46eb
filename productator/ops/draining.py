"""The stop of the API behind a proxy: it first says that it is not ready, and ends once nobody waits for it.

uWSGI's master only notices signals that it does not block, so it blocks SIGTERM and a thread of each worker
looks for it: `productator serve` arranges that where PRODUCTATOR_DRAIN_S is set. When the time is over, the
listening socket refuses new connections, and those that wait in its queue are accepted before the end: uWSGI
would reset them. A proxy that could not connect sends its request elsewhere, a POST as well.
"""

import os
import signal
import socket
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

from productator.ops.descriptors import internet_sockets, is_listening
from productator.ops.threads import without_signals

# The variable that switches it on in uwsgi.ini: a setting can also come from a file.
SWITCH = "PRODUCTATOR_DRAINS"
_EVERY_S = 0.25
# A connection whose handshake has begun needs a moment to get into the queue.
_HANDSHAKE_S = 0.2
_LONGEST_QUEUE_S = 5
# Linux's socket option, which Python does not name, and a network interface that does not exist.
_SO_BINDTOIFINDEX = 62
_NOWHERE = 2**31 - 1
# In Linux's struct tcp_info; of a listening socket it counts the connections that wait to be accepted.
_TCP_INFO_UNACKED = struct.Struct("24xI")


class Draining:
    """Watches for a stop of this worker's master."""

    def __init__(self, *, for_s: float) -> None:
        self._for_s = for_s
        self.has_begun = False

    def start(self) -> None:
        with without_signals():
            threading.Thread(target=self._run, name="draining", daemon=True).start()

    def _run(self) -> None:
        master = os.getppid()
        while not is_pending(signal.SIGTERM, master):
            time.sleep(_EVERY_S)
        self.has_begun = True
        time.sleep(self._for_s)
        try:
            for listener in internet_sockets():
                if is_listening(listener):
                    finish_queue(listener)
                listener.close()
        finally:
            # The master does not block it: uWSGI finishes the requests in flight.
            os.kill(master, signal.SIGINT)


def is_pending(number: signal.Signals, process: int) -> bool:
    """Whether the process has got this signal, which it blocks."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in {"SigPnd", "ShdPnd"} and int(value, 16) >> (number - 1) & 1:
            return True
    return False


def finish_queue(listener: socket.socket) -> None:
    """Lets no new connection in, and waits until every one that is in has been accepted."""
    with suppress(PermissionError):  # another worker was first
        listener.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, _NOWHERE)
    time.sleep(_HANDSHAKE_S)
    until = time.monotonic() + _LONGEST_QUEUE_S
    while _waiting(listener) and time.monotonic() < until:
        time.sleep(0.05)


def _waiting(listener: socket.socket) -> int:
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_UNACKED.size)
    return int(_TCP_INFO_UNACKED.unpack(info)[0])
