"""A worker that uses too much memory ends, and says why."""

import signal
import subprocess
import sys

_MIB = 1024 * 1024
_WAIT = "import time; time.sleep(60)"


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_process_above_the_limit_ends_with_a_line_in_the_log() -> None:
    ended = _run(f"from productator.ops.memory import start_watch; start_watch({_MIB}); {_WAIT}")

    assert ended.returncode == -signal.SIGKILL
    assert "a worker uses too much memory and is replaced" in ended.stderr


def test_a_process_below_the_limit_goes_on() -> None:
    ended = _run("from productator.ops.memory import start_watch; start_watch(); import time; time.sleep(3)")

    assert ended.returncode == 0


def test_a_look_that_fails_does_not_end_the_watch() -> None:
    ended = _run(f"""
from productator.ops import memory
read, looks = memory._used_bytes, []
def failing_once():
    looks.append(1)
    if len(looks) == 1:
        raise OSError(24, "Too many open files")
    return read()
memory._used_bytes = failing_once
memory.start_watch({_MIB})
{_WAIT}
""")

    assert ended.returncode == -signal.SIGKILL
    assert "the memory of a worker cannot be read" in ended.stderr


def test_the_application_watches_its_memory_under_uwsgi() -> None:
    ended = _run("""
import sys, threading, types
sys.modules["uwsgi"] = types.ModuleType("uwsgi")
from productator.ops.uwsgi_requests import RequestCorrection
RequestCorrection(None, max_bytes=1)
print(*(each.name for each in threading.enumerate()))
""")

    assert {"memory", "slow-clients"} <= set(ended.stdout.split()), ended.stderr
