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

    Linux never mixes writes of up to PIPE_BUF (4,096) bytes into a pipe. It takes a longer line in pieces if
    the reader is slow. So while a thread writes a long line, no other thread of this process writes; other
    processes may.
    """

    def __init__(self, output: TextIO) -> None:
        super().__init__(output)
        # Ids of threads.
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
        thread = threading.get_ident()
        if thread in self._writing_short or thread == self._writing_long:
            # A handler of signals, or a finalizer, has interrupted this thread's own line, and must not wait.
            _write_all(descriptor, line)
        elif len(line) > select.PIPE_BUF:
            self._write_long(thread, descriptor, line)
        else:
            while not self._write_short(thread, descriptor, line):
                with self._long:  # a long line is written by now
                    pass

    def _write_short(self, thread: int, descriptor: int, line: bytes) -> bool:
        """False: somebody writes a long line."""
        try:
            # First this, then the question: either this thread sees the other, or the other sees this one.
            self._writing_short.add(thread)
            if is_free := self._writing_long is None:
                _write_all(descriptor, line)
            return is_free
        finally:
            self._writing_short.discard(thread)

    def _write_long(self, thread: int, descriptor: int, line: bytes) -> None:
        with self._long:
            try:
                self._writing_long = thread
                while self._writing_short:
                    time.sleep(_LOOK_AGAIN_S)
                _write_all(descriptor, line)
            finally:
                self._writing_long = None


def _write_all(descriptor: int, line: bytes) -> None:
    while line:
        try:
            line = line[os.write(descriptor, line) :]
        except BlockingIOError:  # the output does not block, and its reader is slow: nothing is lost
            writable = select.poll()
            writable.register(descriptor, select.POLLOUT)
            writable.poll()
