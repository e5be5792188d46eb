"""Drives many libcurl handles from one thread: waits for their sockets, libcurl's timer, or to be woken."""

import os
import selectors
import time
from collections.abc import Iterator
from contextlib import suppress

import pycurl

from productator.outgoing import CurlFailure


class CurlLoop:
    def __init__(self, *, connections: int) -> None:
        self._selector = selectors.DefaultSelector()
        # The events that the selector watches each socket for: asking it costs more than the rest of a call.
        self._watched: dict[int, int] = {}
        self._timer_at: float | None = None
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, connections)
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    def add(self, curl: pycurl.Curl) -> None:
        """Starts the call of a handle; raises pycurl.error if libcurl refuses it."""
        self._multi.add_handle(curl)

    def remove(self, curl: pycurl.Curl) -> None:
        """Takes a handle out, whether its call has ended or not."""
        self._multi.remove_handle(curl)

    def wait(self, *, until: float) -> bool:
        """Waits for something to arrive, and lets libcurl work on it; returns whether it was woken."""
        wait_until = until if self._timer_at is None else min(until, self._timer_at)
        is_woken = False
        for key, mask in self._selector.select(max(0.0, wait_until - time.monotonic())):
            if key.fd == self._wake_reader:
                os.read(self._wake_reader, 4096)
                is_woken = True
                continue
            action = (pycurl.CSELECT_IN if mask & selectors.EVENT_READ else 0) | (
                pycurl.CSELECT_OUT if mask & selectors.EVENT_WRITE else 0
            )
            self._multi.socket_action(key.fd, action)
        if self._timer_at is not None and time.monotonic() >= self._timer_at:
            self._timer_at = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        return is_woken

    def ended(self) -> Iterator[tuple[pycurl.Curl, CurlFailure | None]]:
        """The handles whose calls have ended, and the reason of a failure."""
        more = True
        while more:
            more, succeeded, failed = self._multi.info_read()
            yield from ((curl, None) for curl in succeeded)
            yield from ((curl, CurlFailure(code, reason)) for curl, code, reason in failed)

    def wake(self) -> None:
        """Ends `wait`, this one or the next; any thread may call it."""
        with suppress(OSError):  # the pipe is full, or the loop is closed
            os.write(self._wake_writer, b"w")

    def close(self) -> None:
        """The handles have been removed."""
        self._multi.close()
        self._selector.close()
        for end in (self._wake_reader, self._wake_writer):
            os.close(end)
        # Another file may get this number; a thread that wakes the loop from now on must not write to it.
        self._wake_writer = -1

    def _watch(self, event: int, fd: int, _multi: pycurl.CurlMulti, _data: object) -> None:
        """libcurl calls this when the events that it waits for change."""
        if event == pycurl.POLL_REMOVE:
            if self._watched.pop(fd, None):
                self._selector.unregister(fd)
            return
        mask = (selectors.EVENT_READ if event & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if event & pycurl.POLL_OUT else 0
        )
        if fd not in self._watched:
            self._selector.register(fd, mask)
        elif mask != self._watched[fd]:
            self._selector.modify(fd, mask)
        self._watched[fd] = mask

    def _set_timer(self, timeout_ms: int) -> None:
        """libcurl calls this to be called back at that time, even if nothing has arrived."""
        self._timer_at = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000
