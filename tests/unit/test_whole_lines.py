"""Log lines stay whole, however many threads write and however slowly somebody reads."""

import fcntl
import io
import logging
import os
import select
import struct
import termios
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import pytest

from lab.waiting import eventually
from productator.ops.whole_lines import WholeLines

# A pipe keeps 4,096 bytes whole, and takes 65,536.
_SHORT, _LONG, _ALMOST_FULL = 4_000, 100_000, 60_000


def _log(output: TextIO) -> logging.Logger:
    log = logging.Logger("whole")
    log.addHandler(WholeLines(output))
    return log


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as output:
        yield reading, output
    os.close(reading)


def _unread_bytes(pipe: int) -> int:
    found = fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4)
    return int(struct.unpack("i", found)[0])


def _read(pipe: int, writers: list[Future[None]]) -> bytes:
    """All that they write, slowly."""
    found = b""
    while _unread_bytes(pipe) or not all(each.done() for each in writers):
        if select.select([pipe], [], [], 0.1)[0]:
            found += os.read(pipe, 5_000)
    return found


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("first", [_SHORT, _LONG])
def test_lines_of_threads_that_wait_for_a_slow_reader_stay_whole(
    pipe: tuple[int, TextIO], first: int, blocking: bool
) -> None:
    reading, output = pipe
    os.set_blocking(output.fileno(), blocking)
    log = _log(output)
    second = _LONG if first == _SHORT else _SHORT
    lengths = [first] * 20 + [second] * 20 + [first] * 20
    lines = [f"{number} ".ljust(length, "x") for number, length in enumerate(lengths)]
    with ThreadPoolExecutor(len(lines)) as threads:
        writers = [threads.submit(log.info, line) for line in lines[:20]]
        eventually(lambda: _unread_bytes(reading) > _ALMOST_FULL)
        writers += [threads.submit(log.info, line) for line in lines[20:]]
        found = _read(reading, writers)

    assert sorted(found.decode().splitlines()) == sorted(lines)


def test_lines_of_many_threads_in_a_file_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [f"{number} ".ljust(_SHORT if number % 2 else _LONG, "x") for number in range(200)]
    with path.open("w") as output, ThreadPoolExecutor(8) as threads:
        list(threads.map(_log(output).info, lines))

    assert sorted(path.read_text().splitlines()) == sorted(lines)


def test_an_output_that_is_no_file_has_each_line_at_once() -> None:
    written = io.BytesIO()
    output = io.TextIOWrapper(written, encoding="utf-8")
    _log(output).info("ready")

    assert written.getvalue() == b"ready\n"


@pytest.mark.parametrize("outer", [_SHORT, _LONG])
@pytest.mark.parametrize("inner", [_SHORT, _LONG])
def test_a_line_that_interrupts_its_own_thread_waits_for_nobody(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch, outer: int, inner: int
) -> None:
    reading, output = pipe
    log, write = _log(output), os.write
    others: list[Future[None]] = []
    with ThreadPoolExecutor(2) as threads:

        def interrupted(descriptor: int, data: bytes) -> int:
            monkeypatch.setattr(os, "write", write)
            # Another thread waits until this one has written its line.
            others.append(threads.submit(log.info, "o" * _LONG))
            time.sleep(0.05)
            log.info("i" * inner)
            return write(descriptor, data)

        monkeypatch.setattr(os, "write", interrupted)
        others.append(threads.submit(log.info, "x" * outer))
        eventually(lambda: len(others) == 2)
        found = _read(reading, others).decode().splitlines()

    # The line that interrupts stands before the other or in it; that of the other thread is whole.
    assert sorted(map(len, found)) == sorted([outer, inner, _LONG])
    assert sorted(map(set, found), key=str) == [{"i"}, {"o"}, {"x"}]


def test_a_filter_of_the_handler_decides(pipe: tuple[int, TextIO]) -> None:
    reading, output = pipe
    handler = WholeLines(output)
    handler.addFilter(lambda record: "secret" not in record.getMessage())
    log = logging.Logger("filtered")
    log.addHandler(handler)
    log.info("a secret")
    log.info("a fact")

    assert os.read(reading, 100) == b"a fact\n"


def test_a_closed_output_takes_no_line_for_whoever_has_its_number_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tmp_path.joinpath("log").open("w") as output:
        log = _log(output)
    with tmp_path.joinpath("other").open("w"):
        log.info("late")

    assert tmp_path.joinpath("other").read_text() == ""
    assert "ValueError" in capsys.readouterr().err
