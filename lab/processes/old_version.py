"""The code of an older version, from this repository's own history."""

import io
import subprocess
import tarfile
from pathlib import Path

from lab.processes.system import REPOSITORY


def check_out(commit: str, folder: Path) -> Path:
    """Writes the files of the commit into the folder, and returns it."""
    command = ["git", "-C", str(REPOSITORY), "archive", "--format=tar", commit]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"The version of commit {commit} is needed to try an upgrade from it, and git does not find it:"
            f" run in a clone with the whole history. ({done.stderr.decode().strip()})"
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder
