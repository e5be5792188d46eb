"""CI installs what tests need, and requires it: there, no test is skipped for want of a program."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CI = (ROOT / ".ci/run").read_text(encoding="utf-8")
FOLDERS = ("lab", "tests")


def _missing() -> dict[str, str]:
    """What a test may miss, by name, with the message that says how to get it."""
    raised = re.compile(r"raise Missing\(\s*\"([\w-]+)\",\s*f?\"(.*)\"")
    files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    return {name: message for file in files for name, message in raised.findall(file.read_text("utf-8"))}


def test_without_a_container_engine_ci_still_requires_all_but_mysql() -> None:
    (required,) = re.findall(r"TESTS_REQUIRE_ALL=([a-z][\w,-]*)", CI)

    assert {"haproxy", "galera", "prometheus"} <= _missing().keys()
    assert set(required.split(",")) == {"sqlite", *_missing()} - {"mysql"}


def test_ci_installs_what_the_tests_say_they_miss() -> None:
    (installed,) = re.findall(r"apt-get install -y -q (.*) >", CI)
    named = {
        package
        for message in _missing().values()
        for found in re.findall(r"apt-get install ([\w-]+)|\b(mariadb-server|galera-4)\b", message)
        for package in found
        if package
    }

    assert {"haproxy", "galera-4", "mariadb-server", "prometheus"} <= named
    assert named <= set(installed.split())
