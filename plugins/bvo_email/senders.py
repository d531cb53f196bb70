"""The threads of a worker that send: a mail server that hangs at one mail keeps neither the worker nor other mails."""

from __future__ import annotations

import logging
import threading

from flask import Flask, current_app
from sqlalchemy import select

from bvo import mail
from bvo.database import db

from . import planning, sending
from .models import Mail

log = logging.getLogger(__name__)

MOST_THREADS = 4
KEY = "bvo_mail_senders"


class Senders:
    """The threads of one process. Each ends when nothing is due any more, or with the process."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(MOST_THREADS)

    def start(self, app: Flask) -> None:
        """Let one more thread send, as long as there are any left."""
        if self._free.acquire(blocking=False):
            threading.Thread(target=self._run, args=(app,), name="mail").start()

    def _run(self, app: Flask) -> None:
        try:
            while threading.main_thread().is_alive() and sending.send_next(app):
                pass
        except Exception:
            log.exception("A sender of mails failed")
        finally:
            self._free.release()


def is_any_due() -> bool:
    """Whether a mail is to be sent now."""
    return db.session.scalar(select(Mail.id).where(*sending.due()).limit(1)) is not None


def send_due() -> None:
    """Make mails of what is due, and start a thread where there are any. Without a mail server, all waits."""
    if not mail.is_set_up():
        return
    planning.make_mails()
    if is_any_due():
        senders: Senders = current_app.extensions.setdefault(KEY, Senders())
        senders.start(current_app._get_current_object())  # type: ignore[attr-defined]
