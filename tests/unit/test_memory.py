"""A worker that uses too much memory ends, and says why."""

import signal
import subprocess
import sys

_MIB = 1024 * 1024


def _end_if_above(most_mib: int) -> subprocess.CompletedProcess[str]:
    code = f"""
import logging
from productator.ops.memory import end_if_above
logging.basicConfig()
used = bytearray({200 * _MIB})
used[::4096] = b"1" * len(used[::4096])
end_if_above({most_mib * _MIB})
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_above_the_limit() -> None:
    ended = _end_if_above(100)
    assert ended.returncode == -signal.SIGKILL
    assert "a worker uses too much memory and is replaced" in ended.stderr


def test_below_the_limit() -> None:
    assert _end_if_above(2_000).returncode == 0
