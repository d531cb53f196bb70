"""What every page has around it. Templates know it as `ui`; everything in it is computed only where it is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import current_app, request, url_for

from bvo import __version__, access, registry, sessions, settings
from bvo.config import Config
from bvo_hookspecs import AuthProvider, EntityType, NavItem, Principal

from . import assets, offers
from .text import words
from .values import path_of

NAME = "BV Orchestrator"
PROFILE = "profile_pages.show"
FORGOT = "auth_pages.forgot"


@dataclass(frozen=True)
class Link:
    """An entry of the navigation, as it is shown."""

    label: str
    url: str
    current: bool


class Shell:
    """The frame of one page: who is signed in, and where one can go."""

    version = __version__
    asset = staticmethod(assets.url)

    @property
    def config(self) -> Config:
        return registry.current().config

    @property
    def principal(self) -> Principal:
        return access.principal()

    @property
    def signed_in(self) -> bool:
        return self.principal.kind == "user"

    @property
    def profile_url(self) -> str:
        """The page of whoever is signed in; empty where no plugin has one."""
        return url_for(PROFILE) if PROFILE in current_app.view_functions else ""

    @property
    def forgot_url(self) -> str:
        """The page for those who forgot their password; empty where no plugin has one."""
        return url_for(FORGOT) if FORGOT in current_app.view_functions else ""

    @property
    def login_pages(self) -> list[AuthProvider]:
        """The other ways to sign in than with a password."""
        return [provider for provider in registry.current().of(AuthProvider).values() if provider.login_page]

    @cached_property
    def server_url(self) -> str:
        """The address of this server, without a slash at its end, as people and robots reach it."""
        return settings.public_url(request.host_url)

    def can(self, permission: str) -> bool:
        return self.principal.can(permission)

    def new_url(self, entity: str, **values: Any) -> str:
        """The form for a new row, with these values filled in; empty where there is none, or not for the principal."""
        kind = registry.current().of(EntityType).get(entity)
        return offers.new_url(kind, **values) if kind else ""

    @cached_property
    def csrf_token(self) -> str:
        """Empty for those who are not signed in, also where an old cookie is left over."""
        return sessions.csrf_token() if self.signed_in else ""

    @cached_property
    def instance(self) -> str:
        """The name of this installation; an error page must come up even where the database does not."""
        try:
            return str(settings.get("general.instance_name") or NAME)
        except Exception:
            return NAME

    @cached_property
    def navigation(self) -> list[Link]:
        """The entries that the principal may open, in order; the page that one is on is marked."""
        allowed = {url: item for item, url, permission in _items() if not permission or self.principal.can(permission)}
        ordered = sorted(allowed.items(), key=lambda pair: (pair[1].order, pair[1].label))
        here = _longest_prefix([url for url, _ in ordered])
        return [Link(item.label, url, url == here) for url, item in ordered]


def list_url(entity: EntityType) -> str:
    return url_for("webui.list", entity=path_of(entity))


def title_of(entity: EntityType) -> str:
    """What a list of these is called: `Jobs`."""
    return entity.nav.label if entity.nav else words(entity.plural)


def _items() -> Iterator[tuple[NavItem, str, str]]:
    """Every entry with its address and its permission. Two entries of one address are one: the later one stands."""
    yield NavItem(name="dashboard", label="Dashboard", order=0), url_for("webui.dashboard"), ""
    for entity in registry.current().of(EntityType).values():
        if entity.nav:
            yield entity.nav, entity.nav.url or list_url(entity), entity.nav.permission or f"{entity.plural}:view"
    for item in registry.current().of(NavItem).values():
        yield item, item.url, item.permission


def _longest_prefix(urls: list[str]) -> str:
    """Of these addresses the one that the page stands below. The dashboard's is above all, and must match whole."""
    path, home = f"{request.path.rstrip('/')}/", url_for("webui.dashboard")
    above = [url for url in urls if url == path or (url != home and path.startswith(f"{url.rstrip('/')}/"))]
    return max(above, key=len, default="")
