"""What plugins contribute, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from marshmallow import Schema, fields

from bvo import registry, settings
from bvo.errors import StartupError
from bvo_hookspecs import Artifact, EntityType, EventType, HealthCheck, Setting, SettingsGroup
from support.plugins import Site
from support.things import PART, THING, PartService, ThingService


def colour(default: str) -> Setting:
    return Setting(name="colour", field=fields.String(), default=default, help="Of the walls")


def test_two_records_of_one_name_stop_the_start_and_both_plugins_are_named(
    site: Site, sqlite_app: Callable[..., Flask]
) -> None:
    site.plug("first", artifacts=[Artifact(name="walls", label="Walls")])
    site.plug("second", artifacts=[Artifact(name="walls", label="Other walls")])
    with pytest.raises(
        StartupError,
        match=r"a Artifact named 'walls': first \(acme_first\) and second \(acme_second\)\. Disable one of them",
    ):
        sqlite_app()
    assert "walls" in registry_of(sqlite_app(BVO_DISABLED_PLUGINS="second")).artifacts()


def test_two_kinds_may_share_a_name(site: Site, sqlite_app: Callable[..., Flask]) -> None:
    site.plug(
        "first",
        artifacts=[Artifact(name="walls", label="Walls")],
        health_checks=[HealthCheck(name="walls", check=lambda: None)],
    )
    assert "walls" in registry_of(sqlite_app()).of(HealthCheck)


def test_several_plugins_add_keys_to_one_settings_group(site: Site, sqlite_app: Callable[..., Flask]) -> None:
    site.plug("first", settings_groups=[SettingsGroup(name="house", label="House", settings=(colour("red"),))])
    height = Setting(name="height", field=fields.Integer(), default=3, help="Of the roof", unit="m")
    site.plug("second", settings_groups=[SettingsGroup(name="house", label="Other label", settings=(height,))])
    app = sqlite_app()
    with app.app_context():
        assert settings.read("house") == {"colour": "red", "height": 3}
        assert registry.current().of(SettingsGroup)["house"].label == "House"


def test_one_key_of_a_settings_group_from_two_plugins_stops_the_start(
    site: Site, sqlite_app: Callable[..., Flask]
) -> None:
    for name, default in (("first", "red"), ("second", "blue")):
        group = SettingsGroup(name="house", label="House", settings=(colour(default),))
        site.plug(name, settings_groups=[group])
    with pytest.raises(StartupError, match=r"house\.colour.*first \(acme_first\) and second \(acme_second\)"):
        sqlite_app()


def test_a_service_is_made_once_and_found_by_its_class(site: Site, sqlite_app: Callable[..., Flask]) -> None:
    site.declare("support.things", entry_point="things")
    known = registry_of(sqlite_app())
    assert known.service(ThingService).entity is THING
    with pytest.raises(LookupError):
        registry_of(sqlite_app(BVO_DISABLED_PLUGINS="things")).service(ThingService)


def test_the_permission_matrix_has_a_row_for_each_entity_type_and_artifact(
    site: Site, sqlite_app: Callable[..., Flask]
) -> None:
    site.plug("walls", artifacts=[Artifact(name="walls", label="The walls")])
    known = registry_of(sqlite_app())
    rows = known.artifacts()
    assert rows["walls"] == "The walls"
    assert {entity.plural for entity in known.of(EntityType).values()} <= set(rows)


def test_an_entity_type_whose_service_fails_takes_only_its_third_party_out(
    site: Site, sqlite_app: Callable[..., Flask]
) -> None:
    class Failing(PartService):
        def __init__(self, entity: EntityType) -> None:
            raise OSError("gone")

    site.plug("walls", entity_types=[replace(PART, name="wall", plural="walls", service=Failing)])
    known = registry_of(sqlite_app())
    assert "wall" not in known.of(EntityType)
    assert {plugin.reason for plugin in known.plugins.all if plugin.name == "walls"} == {"OSError: gone"}


def test_two_entity_types_may_not_share_a_service_class(site: Site, sqlite_app: Callable[..., Flask]) -> None:
    site.plug("walls", entity_types=[PART, replace(PART, name="wall", plural="walls")])
    (plugin,) = (plugin for plugin in registry_of(sqlite_app()).plugins.all if plugin.name == "walls")
    assert plugin.reason == "TypeError: EntityType 'wall': another one has the same service class; give it a subclass"


def registry_of(app: Flask) -> registry.Registry:
    found: registry.Registry = app.extensions["bvo"]
    return found


def test_a_plugin_declares_its_own_also_in_place_of_what_would_follow(
    site: Site, sqlite_app: Callable[..., Flask]
) -> None:
    class Named(Schema):
        name = fields.String()

    approved = EventType(name="holiday.approved", help="The holiday was approved.")
    own = EventType(name="thing.updated", help="A thing is another.", schema=Named, action="thing.update", version=2)
    site.plug("third", requires=["access"], entity_types=[THING], event_types=[approved, own])
    app = sqlite_app()
    with app.app_context():
        known = registry.current().of(EventType)
        assert (known["holiday.approved"], known["thing.updated"]) == (approved, own)
        assert known["thing.created"].schema is THING.read_schema


def test_one_type_from_two_plugins_stops_the_start(site: Site, sqlite_app: Callable[..., Flask]) -> None:
    site.plug("third", event_types=[EventType(name="job.completed", help="Mine.")])
    with pytest.raises(StartupError, match=r"a EventType named 'job.completed': jobs \(bvo_jobs\) and third"):
        sqlite_app()
