"""The wheels: what they contain, and that they run without the source tree."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
import requests

from lab.processes.api import ADMIN_TOKEN
from lab.processes.program import HOST, free_port
from lab.processes.system import REPOSITORY, System
from lab.waiting import eventually

FOLDERS = ("productator", "refresher", "notifier", "simulator")
FILES = (
    "pyproject.toml",
    "README.md",
    "requirements.in",
    "requirements-api.in",
    "requirements.txt",
    "requirements-build.txt",
)
# Alembic's template is of use to developers only.
LEFT_OUT = {"productator/database/migrations/script.py.mako"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree: a build leaves files behind."""
    source = tmp_path_factory.mktemp("source")
    for name in FOLDERS:
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(REPOSITORY / name, source)
    return source


@pytest.fixture(scope="module")
def wheels(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheels = tmp_path_factory.mktemp("wheels")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    run(sys.executable, "-m", "pip", "wheel", *options, ".", "./simulator", cwd=source)
    return wheels


@pytest.fixture(scope="module")
def installed(source: Path, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel and its locked dependencies, and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", str(environment), cwd=source)
    programs = environment / "bin"
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-cache-dir"]
    run(*install, "--require-hashes", "-r", "requirements-build.txt", cwd=source)
    run(*install, "--require-hashes", "--no-build-isolation", "-r", "requirements.txt", cwd=source)
    run(*install, "--no-deps", str(next(wheels.glob("productator-*.whl"))), cwd=source)
    return programs


@pytest.fixture
def simulator_address(tmp_path: Path) -> Iterator[str]:
    system = System("", tmp_path)
    yield system.simulator("--offers-exactly", "3").address
    system.stop_all()


def run(*command: str, cwd: Path, **variables: str) -> str:
    """Runs a command of which nothing of ours is on the path; returns what it printed."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        command, cwd=cwd, env=environment | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=10).ok
    except requests.ConnectionError:
        return False


def files_of(*packages: str) -> set[str]:
    """The files below these packages in the source tree."""
    return {
        str(path.relative_to(REPOSITORY))
        for package in packages
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and not {"__pycache__", "build"} & set(path.parts)
    }


def files_in(wheel: Path) -> set[str]:
    """The files of a wheel without its metadata."""
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_every_file_of_the_programs_and_no_other(wheels: Path) -> None:
    wheel = next(wheels.glob("productator-*.whl"))

    assert files_in(wheel) == files_of("productator", "refresher", "notifier") - LEFT_OUT


def test_the_simulator_is_a_wheel_of_its_own(wheels: Path) -> None:
    wheel = next(wheels.glob("productator_simulator-*.whl"))
    modules = {name for name in files_of("simulator") if name.endswith(".py")}

    assert files_in(wheel) == modules


# It compiles uWSGI, which takes a minute.
@pytest.mark.proof
def test_the_wheel_runs_in_an_empty_directory(
    installed: Path, simulator_address: str, tmp_path: Path
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    port = str(free_port())
    variables = {
        "LISTEN_HOST": HOST,
        "PORT": port,
        "PRODUCTATOR_ADMIN_TOKEN": ADMIN_TOKEN,
        "OFFERS_MS_ADDRESS": simulator_address,
    }
    url = f"http://{HOST}:{port}"

    migrated = run(str(installed / "productator"), "migrate", cwd=folder, **variables)
    serving = subprocess.Popen(
        [str(installed / "productator"), "serve"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: is_ready(url))
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        created = requests.post(f"{url}/api/v1/products", json={"name": "Lamp"}, headers=headers, timeout=10)
        run(str(installed / "python"), "-m", "refresher", "--once", cwd=folder, **variables)
        offers = requests.get(f"{url}/api/v1/products/{created.json()['id']}/offers", timeout=10).json()
        docs = requests.get(f"{url}/docs", timeout=10)
    finally:
        serving.send_signal(signal.SIGTERM)
        exit_code = serving.wait(30)

    assert "schema" in migrated
    assert created.status_code == 201
    assert offers["items"]
    assert docs.status_code == 200
    assert exit_code == 0
    assert [path.name for path in folder.iterdir()] == ["var"]
