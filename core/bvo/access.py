"""Who may call which route. Every view declares it; what is not declared stops the start and is refused."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, g, has_request_context, request
from werkzeug.exceptions import Forbidden, HTTPException, ServiceUnavailable, Unauthorized

from bvo_hookspecs import AuthProvider, Principal, PrincipalKind

from . import registry
from .errors import StartupError

log = logging.getLogger(__name__)
V = TypeVar("V", bound=Callable[..., Any])

SYSTEM = Principal(kind="system", id=None, name="system", is_admin=True)
ANONYMOUS = Principal(kind="system", id=None, name="anonymous")


@dataclass(frozen=True)
class Access:
    """What a view declares: `principals` is empty where it is public, `permission` is None where being one suffices."""

    principals: frozenset[PrincipalKind]
    permission: str | None = None

    @property
    def public(self) -> bool:
        return not self.principals


class PermissionMissing(Forbidden):
    """The principal lacks `permission`."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"You lack the permission {permission}. Ask an administrator for a role that has it.")
        self.permission = permission


def requires(permission: str | None, *, principals: Iterable[PrincipalKind] | None = None) -> Callable[[V], V]:
    """Declare that a view needs one of `principals` with `permission` (e.g. `jobs:view`; None: any of them).

    Where `principals` is left out: what a permission guards, an API token may do as far as its permissions reach;
    what needs no more than being somebody is for people.
    """
    usual: tuple[PrincipalKind, ...] = ("user",) if permission is None else ("user", "token")
    return _declare(Access(frozenset(usual if principals is None else principals), permission))


def public(view: V) -> V:
    """Declare that a view is open to everyone."""
    return _declare(Access(frozenset()))(view)


def principal() -> Principal:
    """Whoever is behind this request; outside of requests the system itself."""
    if not has_request_context():
        return SYSTEM
    found: Principal = g.get("principal", ANONYMOUS)
    return found


def act_as(proven: Principal) -> None:
    """Let the rest of this request be done by `proven`: for public routes that prove the caller themselves."""
    g.principal = proven


def address() -> str:
    """The address that the request came from; empty outside of requests."""
    return (request.remote_addr or "") if has_request_context() else ""


def from_this_machine() -> bool:
    """True where the request came over a loopback address."""
    return is_loopback(address())


def is_loopback(address: str) -> bool:
    """True for an address that only this machine can reach; False for what is no IP address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def require(permission: str) -> None:
    """Raise PermissionMissing where the principal lacks `permission`."""
    if not principal().can(permission):
        raise PermissionMissing(permission)


def authenticate() -> Principal | None:
    """Ask the auth providers in turn. One that fails grants nothing; where no other one answers, the request is 503."""
    failed = ""
    for plugin, provider in registry.current().every(AuthProvider):
        if provider.authenticate is None:
            continue
        try:
            if found := provider.authenticate(request):
                return found
        except HTTPException:
            raise
        except BaseException:
            failed = provider.name
            log.exception("The auth provider %r of the plugin %r failed", provider.name, plugin.name)
    if failed:
        raise ServiceUnavailable(f"The auth provider {failed!r} failed. Try again; the server's log has the reason.")
    return None


def init_app(app: Flask) -> None:
    app.before_request(_enforce)


def declared(app: Flask, endpoint: str) -> Access | None:
    """What the view of an endpoint declares; None where it declares nothing."""
    found = getattr(app.view_functions[endpoint], "bvo_access", None)
    return found if isinstance(found, Access) else None


def check_declared(app: Flask) -> None:
    """Raise StartupError where a route declares no access, and name it."""
    undeclared = sorted(
        f"{rule.rule} ({rule.endpoint})" for rule in app.url_map.iter_rules() if declared(app, rule.endpoint) is None
    )
    if undeclared:
        raise StartupError(
            f"Routes without declared access: {', '.join(undeclared)}. Add @bvo.access.requires or @bvo.access.public."
        )


def _declare(access: Access) -> Callable[[V], V]:
    def mark(view: V) -> V:
        view.bvo_access = access  # type: ignore[attr-defined]
        return view

    return mark


def _enforce() -> None:
    if request.endpoint is None:
        return  # no such route, or not with this method: Flask answers 404 or 405
    access = declared(current_app, request.endpoint)
    if access is None:
        raise Forbidden("This route declares no access.")
    if access.public:
        return
    found = authenticate()
    if found is None:
        raise Unauthorized("Not authenticated. Log in, or send a token.")
    g.principal = found
    if found.kind not in access.principals:
        raise Forbidden(f"A {found.kind} may not call this; it is for: {', '.join(sorted(access.principals))}.")
    if access.permission is not None:
        require(access.permission)
