"""Writes each log line whole, although many threads and processes write at the same time."""

import logging
import os
import select
import threading
import time
from typing import TextIO

_LOOK_AGAIN_S = 0.001


class WholeLines(logging.StreamHandler[TextIO]):
    """Writes a line with one call of the system, and takes a lock only for a long line.

    A thread that writes lets others run Python meanwhile. With a lock for each line, these would soon all
    wait for it: a read took a quarter more processor time.

    The system keeps up to PIPE_BUF bytes (4,096) in a pipe whole, whoever writes. It takes a longer line in
    pieces if the reader is slow. So while a thread writes a long line, no other thread of this process
    writes; other processes may.
    """

    def __init__(self, output: TextIO) -> None:
        super().__init__(output)
        # Both are ids of threads.
        self._writing_short: set[int] = set()
        self._writing_long: int | None = None
        self._long = threading.RLock()

    def handle(self, record: logging.LogRecord) -> bool:
        """As every handler's, but without its lock."""
        if passes := self.filter(record):
            self.emit(record)
        return bool(passes)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + self.terminator
            try:
                descriptor = self.stream.fileno()
            except OSError:  # it is not a file
                with self._long:
                    self.stream.write(line)
                    self.stream.flush()
            else:
                self._write(descriptor, line.encode("utf-8", "backslashreplace"))
        except Exception:  # noqa: BLE001 - as every handler does; the program goes on
            self.handleError(record)

    def _write(self, descriptor: int, line: bytes) -> None:
        if len(line) > select.PIPE_BUF:
            self._write_long(descriptor, line)
            return
        while not self._write_short(descriptor, line):
            with self._long:  # a long line is written by now
                pass

    def _write_short(self, descriptor: int, line: bytes) -> bool:
        """False: somebody writes a long line."""
        thread = threading.get_ident()
        # First this, then the question: either this thread sees the long line's, or that one sees this one.
        self._writing_short.add(thread)
        try:
            if free := self._writing_long in (None, thread):
                _write_all(descriptor, line)
            return free
        finally:
            self._writing_short.discard(thread)

    def _write_long(self, descriptor: int, line: bytes) -> None:
        thread = threading.get_ident()
        with self._long:
            self._writing_long = thread
            try:
                # A handler of signals may write while this thread writes a short line.
                while self._writing_short - {thread}:
                    time.sleep(_LOOK_AGAIN_S)
                _write_all(descriptor, line)
            finally:
                self._writing_long = None


def _write_all(descriptor: int, line: bytes) -> None:
    while line:
        try:
            line = line[os.write(descriptor, line) :]
        except BlockingIOError:  # whoever gave us this output wants no waiting, but we lose nothing
            writable = select.poll()
            writable.register(descriptor, select.POLLOUT)
            writable.poll()
