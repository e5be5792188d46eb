"""Makes log lines out of what uWSGI prints: `python -m productator.ops.uwsgi_log text|json`.

uWSGI prints plain text, into which it copies addresses as clients send them. Its own encoders do not escape
control characters. So its standard error leads to this process, which ends when uWSGI has ended. The
application's log does not: it is complete, and loses nothing if this process is killed.
"""

import json
import os
import signal
import subprocess
import sys
from typing import TextIO

from productator.domain import time_json, utc_now
from productator.ops.control_characters import escaped

# uWSGI marks trouble so.
_TROUBLE = ("!!!", "DAMN", "OOPS", "GAME OVER", "error", "Error", "Traceback")
# A variable: the number of the application's descriptor.
_OUTPUT = "PRODUCTATOR_LOG_DESCRIPTOR"
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(log_format: str) -> None:
    """Leads this process's standard error to a new process, which this one will not know as its child."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", __name__, log_format]
    # It prints to standard output, and ends at once: what remains is its own child.
    subprocess.run(command, stdin=reading, check=True)  # noqa: S603 - nobody else chooses the command
    # uWSGI makes standard output the same as standard error.
    output = os.dup(sys.stdout.fileno())
    os.set_inheritable(output, True)
    os.environ[_OUTPUT] = str(output)
    os.dup2(writing, sys.stderr.fileno())
    os.close(reading)
    os.close(writing)


def application_output() -> TextIO:
    """Where the application logs to: the standard output of the process that called `start`."""
    try:
        return os.fdopen(int(os.environ[_OUTPUT]), "w")
    except (KeyError, OSError):  # not under uWSGI, or uWSGI has started itself anew, and closed what it had
        return sys.stdout


def formatted(line: bytes, log_format: str) -> str:
    text = escaped(line.decode("utf-8", "backslashreplace").rstrip())
    if log_format == "text":
        return text
    level = "warning" if any(mark in text for mark in _TROUBLE) else "info"
    time = time_json(utc_now())
    return json.dumps({"time": time, "level": level, "event": text, "logger": "uwsgi"})


def _run(log_format: str) -> None:
    # These are for uWSGI, whose last lines are still to come.
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        if line.strip():
            sys.stdout.write(formatted(line, log_format) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    if os.fork() == 0:
        _run(sys.argv[1])
    # At once: a caller that waits for the end of all processes waits for this one, too.
    os._exit(0)
