"""Who looks at a page, and what they may do."""

from dataclasses import dataclass

from flask import current_app

from productator.domain import Scope


@dataclass(frozen=True)
class Viewer:
    signed_in: bool
    name: str
    scopes: frozenset[Scope]

    @property
    def may_read(self) -> bool:
        return bool(self.scopes)

    @property
    def may_write(self) -> bool:
        return bool(self.scopes & {Scope.WRITE, Scope.ADMIN})

    @property
    def may_admin(self) -> bool:
        return Scope.ADMIN in self.scopes


def current_viewer() -> Viewer:
    """Without sign-in: what everybody may do."""
    everybody = {"off": set(Scope), "write": {Scope.READ}, "all": set[Scope]()}
    return Viewer(False, "", frozenset(everybody[current_app.config["AUTH"]]))
