"""Finding, ordering and loading plugins; and what happens to those that are broken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from flask import Flask

from bvo import plugins
from bvo.errors import StartupError
from bvo.plugins import Plugins
from bvo_hookspecs import Artifact, HealthCheck
from support.plugins import Site, plugin_module

INFO = "@hookimpl\ndef plugin_info(): return PluginInfo(name='acme', summary='')\n"
BROKEN = {
    "import error": ("import nothing_of_this_name", "ModuleNotFoundError"),
    "error at import": ("1 / 0", "ZeroDivisionError"),
    "no plugin_info": ("x = 1", "has no `plugin_info` hook"),
    "plugin_info raises": ("def plugin_info(): raise OSError('gone')", "OSError: gone"),
    "plugin_info of another kind": ("def plugin_info(): return 'acme'", "not a PluginInfo"),
    "invalid name": ("def plugin_info(): return PluginInfo(name='Acme!', summary='')", "PluginInfo.name is 'Acme!'"),
    "unknown hook": (INFO + "@hookimpl\ndef artefacts(): return []", "artefacts"),
    "unknown argument": (INFO + "@hookimpl\ndef artifacts(app): return []", "app"),
}
BROKEN_RECORDS = {
    "raises": (INFO + "@hookimpl\ndef artifacts(): raise OSError('gone')", "OSError: gone"),
    "raises while it yields": (INFO + "@hookimpl\ndef artifacts():\n  yield from []\n  1 / 0", "ZeroDivisionError"),
    "not iterable": (INFO + "@hookimpl\ndef artifacts(): return 1", "TypeError"),
    "wrong record": (INFO + "@hookimpl\ndef artifacts(): return ['jobs']", "'jobs' where a Artifact belongs"),
    "invalid record": (INFO + "@hookimpl\ndef artifacts(): return [Artifact(name='A', label='')]", "Artifact.name"),
}


@pytest.fixture
def builtin() -> Iterator[Callable[..., str]]:
    """Makes modules that can be loaded as built-in plugins; returns their import names."""
    made: list[str] = []

    def make(name: str, requires: tuple[str, ...] = (), **hooks: Any) -> str:
        module = plugin_module(name, requires, **hooks)
        sys.modules[module.__name__] = module
        made.append(module.__name__)
        return module.__name__

    yield make
    for name in made:
        sys.modules.pop(name, None)


def states(loaded: Plugins) -> dict[str, str]:
    return {plugin.name: plugin.state for plugin in loaded.all}


def reason(loaded: Plugins, name: str) -> str:
    return next(plugin.reason for plugin in loaded.all if plugin.name == name)


def test_plugins_are_ordered_by_what_they_require(builtin: Callable[..., str]) -> None:
    names = [builtin("roof", ("walls",)), builtin("walls", ("floor",)), builtin("floor")]
    assert [plugin.name for plugin in plugins.load(builtins=names)] == ["floor", "walls", "roof"]


def test_built_in_plugins_are_asked_before_third_parties(builtin: Callable[..., str], site: Site) -> None:
    site.plug("guest")
    names = [builtin("floor"), builtin("walls", ("floor",))]
    assert [plugin.name for plugin in plugins.load(builtins=names)] == ["floor", "walls", "guest"]


def test_every_app_has_its_own_plugin_manager(builtin: Callable[..., str]) -> None:
    names = [builtin("floor")]
    first, second = plugins.load(builtins=names), plugins.load(builtins=names)
    assert first.manager is not second.manager


def test_a_circle_is_told_with_its_members(builtin: Callable[..., str]) -> None:
    names = [builtin("hen", ("egg",)), builtin("egg", ("hen",))]
    with pytest.raises(StartupError, match=r"in a circle: (hen -> egg -> hen|egg -> hen -> egg)"):
        plugins.load(builtins=names)


def test_two_plugins_of_one_name_stop_the_start_and_both_packages_are_named(site: Site) -> None:
    site.declare("site_of_jobs", entry_point="other")
    sys.modules["site_of_jobs"] = plugin_module("jobs")
    with pytest.raises(StartupError, match="named 'jobs': bvo_jobs and acme_jobs"):
        plugins.load()


def test_a_disabled_plugin_and_its_dependents_are_left_out_with_the_reason(builtin: Callable[..., str]) -> None:
    names = [builtin("floor"), builtin("walls", ("floor",)), builtin("roof", ("walls", "floor")), builtin("garden")]
    loaded = plugins.load(disabled=["floor"], builtins=names)
    assert states(loaded) == {"floor": "disabled", "walls": "skipped", "roof": "skipped", "garden": "loaded"}
    assert reason(loaded, "floor") == "named in BVO_DISABLED_PLUGINS"
    assert reason(loaded, "walls") == "it requires floor, which is not loaded"
    assert reason(loaded, "roof") == "it requires walls, floor, which are not loaded"


def test_a_plugin_that_requires_an_unknown_one_is_skipped(site: Site) -> None:
    site.plug("orphan", requires=["parents"])
    assert reason(plugins.load(), "orphan") == "it requires parents, which is not loaded"


@pytest.mark.parametrize("name", sorted(plugins.ESSENTIAL))
def test_an_essential_plugin_can_not_be_disabled(name: str) -> None:
    with pytest.raises(StartupError, match=f"names {name}: essential plugins can't be disabled"):
        plugins.load(disabled=[name])


def test_an_essential_plugin_is_never_skipped(builtin: Callable[..., str]) -> None:
    with pytest.raises(StartupError, match="'auth' can't be loaded: it requires access"):
        plugins.load(builtins=[builtin("auth", ("access",))])


def test_a_required_plugin_that_is_not_installed_stops_the_start() -> None:
    with pytest.raises(StartupError, match=r"BVO_REQUIRED_PLUGINS names ldap, not loaded here. Install or enable it"):
        plugins.load(required=["ldap", "jobs"])


def test_a_required_plugin_that_is_disabled_stops_the_start() -> None:
    with pytest.raises(StartupError, match="names demo"):
        plugins.load(required=["demo"], disabled=["demo"])


def test_a_required_plugin_without_what_it_requires_stops_the_start(site: Site) -> None:
    site.plug("orphan", requires=["parents"])
    with pytest.raises(StartupError, match="'orphan' can't be loaded: it requires parents"):
        plugins.load(required=["orphan"])


def test_a_third_party_is_found_by_its_entry_point(site: Site) -> None:
    site.install(INFO)
    loaded = plugins.load()
    acme = next(plugin for plugin in loaded if plugin.name == "acme")
    assert (acme.package, acme.builtin, acme.essential) == ("acme_plugin", False, False)


def test_a_third_party_with_the_name_of_an_essential_plugin_does_not_become_essential(site: Site) -> None:
    site.plug("audit")
    found = next(plugin for plugin in plugins.load(builtins=()) if plugin.name == "audit")
    assert not found.essential


@pytest.mark.parametrize(("source", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_third_party_is_named_and_skipped(
    site: Site, caplog: pytest.LogCaptureFixture, source: str, why: str
) -> None:
    site.install(source)
    site.plug("healthy")
    loaded = plugins.load()
    (broken,) = (plugin for plugin in loaded.all if plugin.state == "failed")
    assert why in broken.reason
    assert "acme" in caplog.text
    assert why in caplog.text
    assert {"healthy", "jobs", "webui"} <= loaded.names()


@pytest.mark.parametrize(("source", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_third_party_that_is_required_stops_the_start(site: Site, source: str, why: str) -> None:
    site.install(source, name="acme")
    with pytest.raises(StartupError) as caught:
        plugins.load(required=["acme"])
    assert "acme" in str(caught.value)
    assert why in str(caught.value)


@pytest.mark.parametrize(("source", "why"), BROKEN_RECORDS.values(), ids=BROKEN_RECORDS)
def test_a_third_party_whose_hook_is_broken_is_skipped_with_its_dependents(
    site: Site, sqlite_app: Callable[..., Flask], source: str, why: str
) -> None:
    site.install(source)
    site.plug("dependent", requires=["acme"], artifacts=[Artifact(name="nonsense", label="Nonsense")])
    known = sqlite_app().extensions["bvo"]
    assert why in reason(known.plugins, "acme")
    assert states(known.plugins)["dependent"] == "skipped"
    assert "nonsense" not in known.of(Artifact)


def test_a_third_party_whose_hook_is_broken_stops_the_start_where_it_is_required(
    site: Site, sqlite_app: Callable[..., Flask]
) -> None:
    site.install(BROKEN_RECORDS["raises"][0])
    with pytest.raises(StartupError, match=r"'acme' \(acme_plugin\) failed: OSError: gone"):
        sqlite_app(BVO_REQUIRED_PLUGINS="acme")


def test_none_of_the_records_of_a_broken_third_party_stays(site: Site, sqlite_app: Callable[..., Flask]) -> None:
    site.plug("half", artifacts=[Artifact(name="half", label="Half")], health_checks=["nonsense"])
    known = sqlite_app().extensions["bvo"]
    assert "half" not in known.of(Artifact)
    assert "half" not in {plugin.name for plugin, _ in known.every(HealthCheck)}


def test_a_submodule_that_hides_a_hook_is_named(site: Site) -> None:
    site.install(INFO + "from . import artifacts")
    (site.folder / "acme_plugin/artifacts.py").touch()
    loaded = plugins.load()
    assert reason(loaded, "acme").endswith(
        "the submodule acme_plugin.artifacts hides the hook artifacts: give it another name"
    )


def test_a_broken_third_party_may_have_any_name_and_that_of_a_builtin_too(site: Site) -> None:
    site.plug("healthy")
    site.declare("nothing_here", entry_point="jobs")
    site.declare("nothing_there", entry_point="42 großé")
    loaded = plugins.load()
    assert {"healthy", "jobs"} <= loaded.names()
    assert [plugin.state for plugin in loaded.all].count("failed") == 2


def test_a_broken_builtin_stops_the_start(builtin: Callable[..., str]) -> None:
    module: ModuleType = sys.modules[builtin("floor")]
    module.artefacts = module.plugin_info  # type: ignore[attr-defined]
    with pytest.raises(StartupError, match=r"'floor' \(acme_floor\) failed: .*artefacts"):
        plugins.load(builtins=["acme_floor"])
