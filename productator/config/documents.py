"""Writes the documents that follow from the declarations: config.cfg and docs/settings.md."""

import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from productator.config.declaration import Setting
from productator.config.settings import SETTINGS

_WIDTH = 120
_FILE_HEAD = """\
# The settings of all programs, with their defaults. The environment variable named above a setting overrides
# it. A secret can also be read from a file: name that file in the variable with _FILE at its end.
# `make settings` writes this file and docs/settings.md from productator/config/settings.py.
"""
_TABLE_HEAD = """\
# Settings

A program reads its settings from an INI file, then from the environment, which overrides the file. An empty
variable counts as not set. A wrong setting stops the start with a sentence that names it.

The file is `config.cfg` of the working directory, or the one that `PRODUCTATOR_CONFIG` (for the API and
`productator`), `REFRESHER_CONFIG` (for the refresher) or `NOTIFIER_CONFIG` (for the notifier) names. It must
hold every setting that has a default (`DATABASE_PASSWORD` may be empty there), and no unknown one. Where no
file is named and there is no `config.cfg`, the defaults below and the environment suffice.

Settings marked * are secrets. A secret appears in no log, and can also be read from a file: name that file in
the variable with `_FILE` at its end, such as `DATABASE_PASSWORD_FILE`.

The simulator has settings of its own: `python -m simulator --help` lists them.

`make settings` writes this document and `config.cfg` from `productator/config/settings.py`.
"""


def config_file() -> str:
    """config.cfg: every setting at its default, below its variable and its meaning."""
    return _FILE_HEAD + "".join(
        f"\n[{section}]\n" + "".join(map(_entry, settings)) for section, settings in _sections()
    )


def _entry(setting: Setting) -> str:
    marker = " (secret)" if setting.secret else ""
    comment = f"{setting.variable}{marker}: {setting.meaning.replace('`', '')}"
    lines = textwrap.wrap(
        comment, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
    return "\n".join([*lines, f"{setting.key} = {setting.default}".rstrip(), ""])


def table() -> str:
    """docs/settings.md: a table for each section of the file."""
    return _TABLE_HEAD + "".join(
        f"\n## [{section}]\n\n| key | variable | default | meaning |\n|---|---|---|---|\n"
        + "".join(map(_row, settings))
        for section, settings in _sections()
    )


def _row(setting: Setting) -> str:
    marker = "*" if setting.secret else ""
    default = f"`{setting.default}`" if setting.default else "none"
    return f"| `{setting.key}` | `{setting.variable}`{marker} | {default} | {setting.meaning} |\n"


def _sections() -> Iterator[tuple[str, Iterator[Setting]]]:
    return groupby(SETTINGS.values(), attrgetter("section"))


if __name__ == "__main__":
    config_path, table_path = map(Path, sys.argv[1:])
    config_path.write_text(config_file(), encoding="utf-8")
    table_path.write_text(table(), encoding="utf-8")
