"""Reading settings: from the INI file, then from the environment, which wins."""

import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from productator.config.declaration import Setting
from productator.errors import ConfigError


def read_values(declared: Mapping[str, Setting], path: Path | None, env: Mapping[str, str]) -> dict[str, Any]:
    """The value of every setting; without a file, only of those that the environment gives."""
    values = {}
    file = None if path is None else _ConfigFile(path, declared)
    for name, setting in declared.items():
        source, text = _from_environment(setting, env)
        if not text and file is not None:
            source, text = file.place(setting), file.text(setting)
        if text:
            values[name] = _parsed(setting, source, text)
        elif file is not None:
            if setting.is_required:
                raise ConfigError(f"{source} is missing.")
            values[name] = setting.empty
    return values


class _ConfigFile:
    """An INI file that holds declared settings only."""

    def __init__(self, path: Path, declared: Mapping[str, Setting]) -> None:
        self._path = path
        self._parser = configparser.ConfigParser(interpolation=None, default_section="")
        try:
            self._parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
        except OSError as exc:
            raise ConfigError(f"{path}: the config file cannot be read: {exc.strerror}.") from exc
        except (configparser.Error, UnicodeDecodeError) as exc:
            raise ConfigError(f"{path}: not a config file: {_reason(exc)}.") from exc
        self._refuse_unknown({(setting.section, setting.key) for setting in declared.values()})

    def place(self, setting: Setting) -> str:
        return f"{self._path}: [{setting.section}] {setting.key}"

    def text(self, setting: Setting) -> str:
        return self._parser.get(setting.section, setting.key, fallback="")

    def _refuse_unknown(self, known: set[tuple[str, str]]) -> None:
        known_sections = {section for section, _ in known}
        for section in self._parser.sections():
            if section not in known_sections:
                raise ConfigError(f"{self._path}: there is no section [{section}].")
            for key in self._parser[section]:
                if (section, key) not in known:
                    raise ConfigError(f"{self._path}: [{section}] has no key '{key}'.")


def _reason(error: configparser.Error | UnicodeDecodeError) -> str:
    """Names the line but never quotes it: it may hold a secret."""
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno} is in no section"
    if isinstance(error, configparser.ParsingError):
        return f"line {error.errors[0][0]} is not 'key = value'"
    return " ".join(str(error).split())


def _from_environment(setting: Setting, env: Mapping[str, str]) -> tuple[str, str]:
    """The source's name and the text; an empty variable counts as not set."""
    text = env.get(setting.variable, "")
    file_variable = setting.variable + "_FILE"
    file_name = env.get(file_variable, "") if setting.secret else ""
    if not file_name:
        return setting.variable, text
    if text:
        raise ConfigError(f"{setting.variable} and {file_variable} exclude each other: set one of them.")
    try:
        secret = Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ConfigError(f"{file_variable}: {file_name} cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{file_variable}: {file_name} is not text in UTF-8.") from exc
    if not secret:
        raise ConfigError(f"{file_variable}: {file_name} is empty.")
    return file_variable, secret


def _parsed(setting: Setting, source: str, text: str) -> Any:
    try:
        return setting.parse(text)
    except ValueError as exc:
        hidden = setting.secret or (setting.may_hold_password and "@" in text)
        shown = "the given value" if hidden else repr(text)
        raise ConfigError(f"{source} must be {exc}, not {shown}.") from exc
