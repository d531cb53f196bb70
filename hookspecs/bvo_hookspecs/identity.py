"""Who asks, and what may be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .checks import check_name

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

PrincipalKind = Literal["user", "token", "sdk", "robot", "system"]


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Whoever is behind a request or a task. `permissions` holds strings such as `jobs:edit`.

    A `token` is an API token: `id` and `name` are its user's, `permissions` what its scopes leave of the user's.
    """

    kind: PrincipalKind
    id: int | None
    name: str
    permissions: frozenset[str] = frozenset()
    is_admin: bool = False

    def can(self, permission: str) -> bool:
        """True where this principal holds `permission`, e.g. `jobs:view`."""
        return self.is_admin or permission in self.permissions


@dataclass(frozen=True, kw_only=True)
class AuthProvider:
    """A way to prove who one is.

    `authenticate` reads the credentials of a request: it returns None where there are none of its kind, the principal
    where they hold, and raises `werkzeug.exceptions.Unauthorized` where they do not. `login` checks a user name and
    a password (both in clear) and returns the user's principal, or None. `login_page` is the path of a page of the
    plugin's own that lets a browser in, shown on the login form as "Sign in with <label>"; it gets the page that was
    wanted as `next`. Each provider has at least one of the three.
    """

    name: str
    authenticate: Callable[[Request], Principal | None] | None = None
    login: Callable[[str, str], Principal | None] | None = None
    login_page: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        check_name(self, self.name)
        if not (self.authenticate or self.login or self.login_page):
            raise ValueError(f"AuthProvider {self.name!r} needs `authenticate`, `login`, or `login_page`")
        if self.login_page and not (self.login_page.startswith("/") and self.label):
            raise ValueError(f"AuthProvider {self.name!r} needs a `login_page` that begins with /, and a `label`")


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A row of the permission matrix that is no entity type, e.g. `dashboard`: gives `dashboard:view` and so on."""

    name: str
    label: str

    def __post_init__(self) -> None:
        check_name(self, self.name)
