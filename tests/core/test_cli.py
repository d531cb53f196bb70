"""The `bvo` program."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import bvo
from bvo import registry
from bvo_access.service import UserService
from bvo_hookspecs import CliCommand
from support.databases import SqliteDatabases
from support.plugins import Site
from support.program import Program, disposing
from support.servers import BVO, Server, environment

# --- the program itself


def test_the_version_is_printed_without_loading_a_framework() -> None:
    code = (
        "import sys, contextlib\nfrom bvo.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--version'])\n"
        "print({'flask', 'sqlalchemy', 'marshmallow', 'alembic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"bvo, version {bvo.__version__}", "set()"]


def test_the_installed_program_is_this_one() -> None:
    program = Path(sys.executable).with_name("bvo")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"bvo, version {bvo.__version__}\n"


def test_the_help_lists_every_command_with_its_purpose(cli: Program) -> None:
    assert cli.run("--help") == 0
    for line in ("serve    Run the server", "users    Manage users", "demo     Show the main job", "db       Migrate"):
        assert line.split()[0] in cli.out
        assert line.partition("  ")[2].strip() in cli.out
    assert "bvo demo" in cli.out
    assert cli.run("serve", "-h") == 0
    assert "--port" in cli.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sevre",), "No such command 'sevre'"),
        (("serve", "--port", "0"), "--port"),
        (("serve", "--nothing"), "--nothing"),
        (("db", "upgrade", "now"), "unexpected extra argument"),
    ],
)
def test_a_call_that_makes_no_sense_exits_with_2(cli: Program, arguments: tuple[str, ...], message: str) -> None:
    assert cli.run(*arguments) == 2
    assert message in cli.err


def test_a_plugin_adds_commands(site: Site, cli: Program) -> None:
    site.install(
        "import click\n"
        "@click.command()\ndef hello(): click.echo('hello from acme')\n"
        "@hookimpl\ndef plugin_info(): return PluginInfo(name='acme', summary='')\n"
        "@hookimpl\ndef cli_commands(): return [CliCommand(name='hello', target='acme_plugin:hello', help='Greet.')]\n"
    )
    assert cli.run("--help") == 0
    assert "Greet." in cli.out
    assert cli.run("hello") == 0
    assert cli.out == "hello from acme\n"


def test_a_disabled_plugin_adds_none(site: Site, cli: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    site.plug("acme", cli_commands=[CliCommand(name="hello", target="os:getcwd", help="")])
    monkeypatch.setenv("BVO_DISABLED_PLUGINS", "acme")
    assert cli.run("hello") == 2


@pytest.mark.parametrize("broken", [["hello"], [None], 1])
def test_a_plugin_with_broken_commands_keeps_no_other_command_from_working(
    site: Site, cli: Program, broken: object, caplog: pytest.LogCaptureFixture
) -> None:
    site.plug("acme", cli_commands=broken)
    assert cli.run("--help") == 0
    assert "serve" in cli.out
    assert "'acme' (acme_acme) failed and is skipped" in caplog.text


def test_two_commands_of_one_name_stop_the_program_and_both_plugins_are_named(site: Site, cli: Program) -> None:
    site.plug("acme", requires=["demo"], cli_commands=[CliCommand(name="demo", target="os:getcwd", help="")])
    assert cli.run("--help") == 2
    assert "a command 'demo': bvo_demo and acme_acme" in cli.err


@pytest.mark.parametrize("target", ["nothing_of_this_name:hello", "os:nothing"])
def test_a_command_that_can_not_be_imported_is_told(site: Site, cli: Program, target: str) -> None:
    site.plug("acme", cli_commands=[CliCommand(name="hello", target=target, help="")])
    assert cli.run("hello") == 2
    assert f"The command 'hello' can't be loaded from {target}" in cli.err


# --- bvo plugins


def test_the_list_of_plugins_tells_why_one_is_not_loaded(
    migrated: str, site: Site, cli: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("1 / 0")
    monkeypatch.setenv("BVO_DISABLED_PLUGINS", "runner")
    assert cli.run("plugins", "list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(cli.out)}
    assert rows["access"] | {"summary": ""} == {
        "name": "access", "package": "bvo_access", "state": "loaded", "builtin": True, "reason": "", "summary": ""
    }  # fmt: skip
    assert (rows["runner"]["state"], rows["runner"]["reason"]) == ("disabled", "named in BVO_DISABLED_PLUGINS")
    assert (rows["demo"]["state"], rows["demo"]["reason"]) == ("skipped", "it requires runner, which is not loaded")
    assert rows["acme_plugin"]["state"] == "failed"
    assert "ZeroDivisionError" in rows["acme_plugin"]["reason"]

    assert cli.run("plugins", "list") == 0
    assert "ZeroDivisionError" in cli.out
    assert "Users, roles and the permission matrix" in cli.out


# --- bvo db


def test_the_database_is_upgraded_checked_and_downgraded(
    unmigrated: str, cli: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))  # whoever is asked only presses Enter
    assert cli.run("db", "check") == 1
    assert "Migrations are pending: core, access" in cli.err
    assert "bvo db upgrade" in cli.err
    assert cli.run("db", "upgrade") == 0
    assert cli.run("db", "check") == 0
    assert cli.out == "The database matches the models.\n"
    assert cli.run("db", "downgrade") == 1
    assert cli.run("db", "check") == 0
    assert cli.run("db", "downgrade", "--yes") == 0
    assert cli.run("db", "check") == 1


def test_a_table_that_differs_from_its_model_is_named_by_its_plugin(
    sqlite: SqliteDatabases, unmigrated: str, cli: Program
) -> None:
    import sqlite3
    from contextlib import closing

    assert cli.run("db", "upgrade") == 0
    with closing(sqlite3.connect(unmigrated.removeprefix("sqlite:///"))) as connection:
        connection.execute("ALTER TABLE machines ADD COLUMN colour VARCHAR")
    assert cli.run("db", "check") == 1
    assert "The tables of machines differ from its models" in cli.err
    assert "colour" in cli.err


def test_a_revision_is_written_for_a_plugin(site: Site, migrated: str, cli: Program) -> None:
    site.plug("walls")
    (site.folder / "acme_walls").mkdir()
    assert cli.run("db", "revision", "--plugin", "walls", "-m", "nothing yet") == 0
    assert [path.name for path in (site.folder / "acme_walls/migrations").glob("*.py")] == ["walls_0001_nothing_yet.py"]
    assert cli.run("db", "upgrade") == 0
    assert cli.run("db", "check") == 0


def test_a_revision_of_an_unknown_plugin_is_refused_with_those_that_are_loaded(migrated: str, cli: Program) -> None:
    assert cli.run("db", "revision", "--plugin", "wals", "-m", "x") == 2
    assert "'wals' is not loaded. There are: access" in cli.err


def test_a_revision_needs_a_database_that_is_up_to_date(site: Site, unmigrated: str, cli: Program) -> None:
    site.plug("walls")
    (site.folder / "acme_walls/migrations").mkdir(parents=True)
    (site.folder / "acme_walls/migrations/walls_0001.py").write_text(
        "revision = 'walls_0001'\ndown_revision = None\ndef upgrade(): pass\ndef downgrade(): pass\n"
    )
    assert cli.run("db", "revision", "--plugin", "walls", "-m", "x") == 2
    assert "walls can't run: Target database is not up to date" in cli.err


# --- bvo serve: what keeps it from starting


@pytest.fixture
def in_production(unmigrated: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("BVO_ENV", "production")
    return unmigrated


def test_an_unreachable_database_is_told_without_its_password(cli: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_DATABASE_URL", "postgresql://bvo:geheim@127.0.0.1:1/bvo")
    assert cli.run("serve") == 2
    assert cli.err.startswith("bvo: The database postgresql+psycopg://bvo:***@127.0.0.1:1/bvo does not answer")
    assert "geheim" not in cli.err
    assert "Traceback" not in cli.err


def test_a_configuration_that_is_wrong_is_told(cli: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_ENV", "staging")
    assert cli.run("serve") == 2
    assert cli.err == "bvo: BVO_ENV is 'staging': use development or production.\n"


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_in_production_an_operator_migrates(in_production: str, cli: Program, command: str) -> None:
    assert cli.run(command) == 2
    assert "lacks migrations of: core, access" in cli.err
    assert "Run `bvo db upgrade` first" in cli.err


def test_in_production_there_is_no_well_known_administrator(in_production: str, cli: Program) -> None:
    assert cli.run("db", "upgrade") == 0
    assert cli.run("serve") == 2
    assert cli.err == "bvo: There is no administrator. Run `bvo users create-admin`.\n"


def test_a_port_that_is_taken_is_told(unmigrated: str, cli: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.run("serve", "--port", str(port)) == 2
    assert "bringing the database up to date" in cli.err
    assert f"Can't listen on 127.0.0.1:{port}: Address already in use. Choose another --port" in cli.err


@pytest.mark.parametrize("host", ["203.0.113.1", "::ffff:203.0.113.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_told(
    in_production: str, cli: Program, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BVO_ADMIN_PASSWORD", "correct horse battery")
    assert cli.run("db", "upgrade") == 0
    assert cli.run("users", "create-admin", "--username", "ops") == 0
    assert cli.run("serve", "--host", host) == 2
    assert f"Can't listen on {host}:8000" in cli.err


def test_the_development_password_is_only_for_this_machine(unmigrated: str, cli: Program) -> None:
    assert cli.run("serve", "--host", "0.0.0.0") == 2  # noqa: S104 - that it is refused
    assert "The user admin still has the development password" in cli.err
    assert "bvo users create-admin --username admin" in cli.err


def test_a_service_account_gets_no_password(migrated: str, cli: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    with disposing(), bvo.create_app().app_context():
        registry.current().service(UserService).create({"username": "ci-bot", "is_service": True})
    monkeypatch.setenv("BVO_ADMIN_PASSWORD", "correct horse battery")
    for command in (("users", "create-admin", "--username", "ci-bot"), ("reset-link", "ci-bot")):
        assert cli.run(*command) == 1
        assert "no password" in cli.err
        assert "Traceback" not in cli.err


def test_a_user_is_linked_with_an_account_at_the_oidc_provider(
    migrated: str, cli: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.run("oidc", "link", "admin", "248289761001") == 2  # there is no provider
    for name, value in {"ISSUER": "https://login.example.com", "CLIENT_ID": "bvo", "CLIENT_SECRET": "hidden"}.items():
        monkeypatch.setenv(f"BVO_OIDC_{name}", value)
    assert cli.run("oidc", "link", "admin", "248289761001") == 0
    assert cli.out == "248289761001 of https://login.example.com signs in as admin from now on.\n"
    assert cli.run("oidc", "link", "nobody", "248289761001") == 1
    assert "There is no user named 'nobody'." in cli.err


# --- bvo serve and bvo worker: real processes


def test_in_production_a_server_starts_once_it_is_migrated_and_has_an_administrator(
    in_production: str, cli: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.run("db", "upgrade") == 0
    monkeypatch.setenv("BVO_ADMIN_PASSWORD", "correct horse battery")
    assert cli.run("users", "create-admin", "--username", "ops") == 0
    assert cli.out == "ops is an administrator.\n"
    values = {"BVO_ENV": "production", "BVO_DATABASE_URL": in_production, "BVO_DATA_DIR": tmp_path / "data"}
    with Server(tmp_path, **values) as server:
        server.log_in("ops", "correct horse battery")
        assert server.call("GET", "/api/auth/me")["user"]["is_admin"]
        assert (
            server.session.post(f"{server.url}/api/auth/login", data={"username": "ops", "password": "x"}).status_code
            == 401
        )
    assert "Traceback" not in server.log()
    assert "was killed" not in server.log()


@contextmanager
def worker(*arguments: str, **values: object) -> Iterator[subprocess.Popen[str]]:
    command = [*BVO, "worker", *arguments]
    process = subprocess.Popen(
        command, env=environment(**values), stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def of(site: Site, sqlite: SqliteDatabases, tmp_path: Path) -> dict[str, object]:
    """The environment of a worker that loads the site's plugin."""
    path = os.pathsep.join(filter(None, (str(site.folder), os.environ.get("PYTHONPATH"))))
    return {"BVO_DATABASE_URL": sqlite.fresh(), "BVO_DATA_DIR": tmp_path / "data", "PYTHONPATH": path}


def end_by_signal(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)


def end_by_ctrl_c(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def end_by_stdin(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.close()


@pytest.mark.parametrize(
    ("arguments", "end"),
    [
        ((), end_by_signal),
        ((), end_by_ctrl_c),
        (("--plugin", "acme"), end_by_ctrl_c),
        (("--until-stdin-closes",), end_by_stdin),
    ],
)
def test_a_worker_works_until_it_is_told_to_stop(
    site: Site,
    sqlite: SqliteDatabases,
    tmp_path: Path,
    arguments: tuple[str, ...],
    end: Callable[[subprocess.Popen[str]], None],
) -> None:
    site.install(
        "import sys\nfrom datetime import timedelta\n"
        "@hookimpl\ndef plugin_info(): return PluginInfo(name='acme', summary='')\n"
        "def work(): print('at work', file=sys.stderr, flush=True)\n"
        "@hookimpl\ndef periodic_tasks():\n"
        "  return [PeriodicTask(name='work', every=timedelta(hours=1), run=work)]\n"
    )
    with worker(*arguments, **of(site, sqlite, tmp_path)) as process:
        assert process.stderr
        assert process.stderr.readline() == "at work\n"
        end(process)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stderr.read()


def test_a_worker_for_a_plugin_that_is_not_loaded_says_so(sqlite: SqliteDatabases, site: Site, tmp_path: Path) -> None:
    with worker("--plugin", "nobody", **of(site, sqlite, tmp_path)) as process:
        assert process.wait(20) != 0
        assert process.stderr
        assert "No plugin 'nobody' is loaded here. `bvo plugins list` shows" in process.stderr.read()


def test_a_worker_whose_server_ends_while_it_starts_ends_too(
    site: Site, sqlite: SqliteDatabases, tmp_path: Path
) -> None:
    site.install("import sys, threading\nprint('starts', file=sys.stderr, flush=True)\nthreading.Event().wait()\n")
    with worker("--until-stdin-closes", **of(site, sqlite, tmp_path)) as process:
        assert process.stderr
        assert process.stderr.readline() == "starts\n"
        end_by_stdin(process)
        assert process.wait(20) == -signal.SIGTERM


def test_the_end_of_a_worker_does_not_look_for_garbage_in_the_whole_app(
    site: Site, sqlite: SqliteDatabases, tmp_path: Path
) -> None:
    site.install(
        "import gc, sys\nfrom datetime import timedelta\n"
        "@hookimpl\ndef plugin_info(): return PluginInfo(name='acme', summary='')\n"
        "def work(): print(len(gc.get_objects()) < gc.get_freeze_count(), file=sys.stderr, flush=True)\n"
        "@hookimpl\ndef periodic_tasks():\n"
        "  return [PeriodicTask(name='work', every=timedelta(hours=1), run=work)]\n"
    )
    with worker(**of(site, sqlite, tmp_path)) as process:
        assert process.stderr
        assert process.stderr.readline() == "True\n"


# --- the background workers of bvo serve


@contextmanager
def serving(site: Site, sqlite: SqliteDatabases, tmp_path: Path) -> Iterator[Server]:
    """A server with a plugin whose worker prints its process id when it begins."""
    site.install(
        "import os, sys\nfrom datetime import timedelta\n"
        "@hookimpl\ndef plugin_info(): return PluginInfo(name='acme', summary='')\n"
        "def work(): print('worker', os.getpid(), file=sys.stderr, flush=True)\n"
        "@hookimpl\ndef periodic_tasks():\n"
        "  return [PeriodicTask(name='work', every=timedelta(hours=1), run=work)]\n"
    )
    with Server(tmp_path, **of(site, sqlite, tmp_path)) as server:
        yield server


@dataclass(frozen=True)
class Workers:
    """The worker of the plugin, and the one of all that is built in, which has begun it."""

    plugins: psutil.Process
    main: psutil.Process


def workers(server: Server, number: int) -> Workers:
    """Those whose plugin's worker began as this one, counted from 1."""

    def begun() -> list[str]:
        return re.findall(r"^worker (\d+)$", server.log(), re.MULTILINE)

    within(30, lambda: len(begun()) == number)
    plugins = psutil.Process(int(begun()[-1]))
    main = plugins.parent()
    assert main
    return Workers(plugins, main)


def within(seconds: float, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_background_worker_that_ends_is_started_again_and_ends_with_the_server(
    site: Site, sqlite: SqliteDatabases, tmp_path: Path
) -> None:
    with serving(site, sqlite, tmp_path) as server:
        for number in (1, 2):
            workers(server, number).main.kill()
        last = workers(server, 3)
    assert has_ended(last.main)
    assert has_ended(last.plugins)
    assert server.log().count("the background worker ended (-9); starting it again") == 2
    assert "Traceback" not in server.log()
    assert "was killed" not in server.log()


def test_the_worker_of_a_plugin_that_ends_is_started_again_alone_and_ends_with_the_other_one(
    site: Site, sqlite: SqliteDatabases, tmp_path: Path
) -> None:
    with serving(site, sqlite, tmp_path) as server:
        first = workers(server, 1)
        first.plugins.kill()
        second = workers(server, 2)
        assert second.main == first.main
        second.main.kill()
        within(20, lambda: has_ended(second.plugins))
    assert "the background worker of the plugin 'acme' ended (-9); starting it again in 1 s" in server.log()
    assert "Traceback" not in server.log()


def test_background_workers_end_with_the_server_that_has_begun_them(
    site: Site, sqlite: SqliteDatabases, tmp_path: Path
) -> None:
    with serving(site, sqlite, tmp_path) as server:
        only = workers(server, 1)
    assert has_ended(only.main)
    assert has_ended(only.plugins)
    assert "Traceback" not in server.log()
    assert "was killed" not in server.log()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_background_workers_end_though_their_server_is_killed(
    site: Site, sqlite: SqliteDatabases, tmp_path: Path
) -> None:
    with serving(site, sqlite, tmp_path) as server:
        first = workers(server, 1)
        parent = first.main.parent()
        assert parent
        others = [child for child in parent.children() if child != first.main]
        parent.kill()
        try:
            within(20, lambda: has_ended(first.main) and has_ended(first.plugins))
        finally:
            for other in others:
                other.kill()
