"""Plugins that do what a plugin must not do. Each is the source of an entry module, below HEADER."""

from __future__ import annotations

HEADER = """
import os, re, signal, sys, threading, time
from datetime import timedelta
from bvo_hookspecs import *
from bvo_hookspecs import hookimpl, PluginInfo

@hookimpl
def plugin_info():
    return PluginInfo(name=__name__.removeprefix("hostile_"), summary="Hostile")

def forever():
    while True:
        time.sleep(60)

"""
SINK = "\n@hookimpl\ndef audit_sinks():\n    return [AuditSink(name=plugin_info().name, write=write, batch_size=20)]\n"
EMITTER = (
    "\n@hookimpl\ndef webhook_emitters():\n"
    "    return [WebhookEmitter(name=plugin_info().name, deliver=write, accepts=accepts)]\n"
)
TASK = (
    "\n@hookimpl\ndef periodic_tasks():\n"
    "    return [PeriodicTask(name=plugin_info().name, every=timedelta(seconds=0.5), run=work)]\n"
)
CARD = (
    "\n@hookimpl\ndef dashboard_cards():\n"
    "    return [DashboardCard(name=plugin_info().name, title='Hostile', template='webui/_cards.html', context=work,"
    " permission='machines:view')]\n"
)
BROKEN_SQL = "from bvo.database import db; from sqlalchemy import text\n    db.session.execute(text('?'))"


def _sink(body: str) -> str:
    return f"kept = []\ndef write(events):\n    {body}\n{SINK}"


def _emitter(body: str) -> str:
    return f"def write(events): pass\ndef accepts(event_type):\n    {body}\n{EMITTER}"


def _work(body: str, hook: str) -> str:
    return f"kept = []\ndef work():\n    {body}\n{hook}"


PLUGINS = {
    "raises": _sink("raise ValueError('no')"),
    "raises_interrupt": _sink("raise KeyboardInterrupt"),
    "exits": _sink("sys.exit(1)"),
    "exits_at_once": _sink("os._exit(3)"),
    "kills_itself": _sink("os.kill(os.getpid(), signal.SIGKILL)"),
    "crashes": _sink("import ctypes; ctypes.string_at(0)"),
    "hangs": _sink("forever()"),
    "hangs_alone": _sink("re.match('(a+)+$', 'a' * 64 + 'b')"),
    "leaks_memory": _sink("kept.append(bytearray(1_000_000))"),
    "leaks_threads": _sink("threading.Thread(target=forever).start()"),
    "leaks_files": _sink("kept.extend(open(os.devnull) for _ in range(100))"),
    "leaks_connections": _sink("from bvo.database import db; kept.append(db.engine.connect())"),
    "closes_files": _sink("os.closerange(3, 4096)"),
    "mutates": _sink("[(event.metadata.clear(), object.__setattr__(event, 'id', 'x')) for event in events]"),
    "locks": _sink("from bvo.database import transaction\n    with transaction(): forever()"),
    "locks_by_itself": _sink(
        "from bvo.database import db\n"
        "    found = kept.append(db.engine.raw_connection()) or kept[-1].cursor()\n"
        "    postgresql = db.engine.dialect.name == 'postgresql'\n"
        "    found.execute('LOCK TABLE machines' if postgresql else 'BEGIN EXCLUSIVE')"
    ),
    "breaks_its_session": _sink(
        "from bvo.database import db; from sqlalchemy import text\n    db.session.execute(text('?'))"
    ),
    "breaks_the_core": _sink("import bvo.delivery; bvo.delivery.serve = None"),
    "takes_nothing": f"def write(): pass\n{SINK}",
    "is_no_function": f"write = 'write'\n{SINK}",
    "accepts_nonsense": _emitter("return type('No', (), {'__bool__': lambda self: 1 / 0})()"),
    "does_not_answer": _emitter("forever()"),
    "refuses_to_answer": _emitter("raise SystemExit"),
    "gives_nonsense": "@hookimpl\ndef audit_sinks(): return ['sink', None, 3]\n",
    "gives_nothing": "@hookimpl\ndef webhook_emitters(): return None\n",
    "exits_at_a_hook": "@hookimpl\ndef webhook_emitters(): sys.exit(1)\n",
    "can_not_be_imported": "import nothing_of_that_name\n",
    "exits_when_imported": "sys.exit(1)\n",
    "is_no_python": "def (:\n",
    "task_hangs": _work("forever()", TASK),
    "task_exits": _work("os._exit(4)", TASK),
    "card_exits": _work("sys.exit(1)", CARD),
    "card_gives_nonsense": _work("return 3", CARD),
    "card_breaks_the_session": _work(
        "from bvo.database import db; from sqlalchemy import text\n    db.session.execute(text('?'))", CARD
    ),
    "authenticates_nobody": (
        "def fail(*args): raise SystemExit\n"
        "@hookimpl\ndef auth_providers(): return [AuthProvider(name='hostile', authenticate=fail, login=fail)]\n"
    ),
}
POISON = "poison"
WRITE_DOWN = "with open(os.environ['{}'], 'a') as file: file.writelines(event.id + '\\n' for event in events)"
WITNESS = _sink(WRITE_DOWN.format("WITNESS"))
"""A plugin beside them that does no harm: it writes down which events it was given."""
VICTIM = _sink(
    f"any(event.entity_name == '{POISON}' for event in events) and os._exit(1)\n    {WRITE_DOWN.format('VICTIM')}"
)
"""The same, but that there is a machine whose events end its process."""
HURRY = "from bvo import delivery, isolation\ndelivery.LEASE, isolation.CALL_SECONDS = timedelta(seconds=8), 5.0\n"
"""Lets no test wait for what usually takes half a minute."""
