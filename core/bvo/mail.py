"""Mail, through the SMTP server that the settings of the group `email` name."""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.headerregistry import Group
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

from . import settings
from .database import utcnow
from .events import MASK
from .secrets import Undecryptable

TIMEOUT_SECONDS = 10
TALK_SECONDS = 60
"""So long the mail server is talked with, whatever it takes for each of its answers."""
MAX_REASON = 300


class MailFailed(Exception):
    """A mail was not sent; says why, in the mail server's words and without the password.

    `refused` are the recipients where they are the reason; `for_good` says that the same mail would be refused again.
    """

    def __init__(self, reason: str, refused: Sequence[Refused] = (), *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.refused, self.for_good = refused, for_good


@dataclass(frozen=True)
class Refused:
    """A recipient whom the mail server did not take, and what it said."""

    recipient: str
    code: int
    reason: str

    @property
    def for_now(self) -> bool:
        """True where it may take the recipient later."""
        return 400 <= self.code < 500


@dataclass(frozen=True, kw_only=True)
class Server:
    """A mail server, and who sends through it."""

    host: str
    port: int
    security: str
    username: str | None
    password: str | None = field(repr=False)
    sender: str

    def send(self, message: EmailMessage, recipients: Sequence[str]) -> list[Refused]:
        """Send a mail now, within about a minute; returns whom the server refused while it took the mail for others.

        Belongs in the worker, or where somebody waits for the outcome; never in a transaction. Raises MailFailed.
        """
        try:
            connection = self._connected()
            try:
                refused = connection.send_message(message, self.sender, recipients)
            finally:
                with suppress(smtplib.SMTPException):  # however it says goodbye, the mail was taken before, or not
                    connection.quit()
        except smtplib.SMTPRecipientsRefused as error:
            every = self._refused(error.recipients)
            raise MailFailed(every[0].reason, every) from None
        except (OSError, smtplib.SMTPException, ValueError) as error:
            for_good = isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500
            raise MailFailed(self._reason(error), for_good=for_good) from None
        return self._refused(refused)

    def _connected(self) -> smtplib.SMTP:
        encryption = ssl.create_default_context()
        connection = (
            _TlsTalk(self.host, self.port, timeout=TIMEOUT_SECONDS, context=encryption)
            if self.security == "tls"
            else _Talk(self.host, self.port, timeout=TIMEOUT_SECONDS)
        )
        try:
            if self.security == "starttls":
                connection.starttls(context=encryption)
            if self.username:
                connection.login(self.username, self.password or "")
        except BaseException:
            connection.close()
            raise
        return connection

    def _refused(self, recipients: dict[str, tuple[int, bytes]]) -> list[Refused]:
        return [
            Refused(recipient, answer[0], self._reason(smtplib.SMTPResponseException(*answer)))
            for recipient, answer in recipients.items()
        ]

    def _reason(self, error: Exception) -> str:
        """What a person is told of an SMTP error; a server may repeat what it was sent, also the password."""
        if isinstance(error, smtplib.SMTPResponseException):
            answer = error.smtp_error
            told = f"{error.smtp_code} {answer.decode('utf-8', 'replace') if isinstance(answer, bytes) else answer}"
        else:
            told = str(error) or type(error).__name__
        return (told.replace(self.password, MASK) if self.password else told)[:MAX_REASON]


class _Talk(smtplib.SMTP):
    """A connection on which every command has its time, and all of them together have theirs."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._until = time.monotonic() + TALK_SECONDS
        super().__init__(*args, **options)

    def putcmd(self, cmd: str, args: str = "") -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            self.close()
            raise TimeoutError(f"The mail server took longer than {TALK_SECONDS} s.")
        if self.sock:
            self.sock.settimeout(min(TIMEOUT_SECONDS, left))
        super().putcmd(cmd, args)


class _TlsTalk(_Talk, smtplib.SMTP_SSL):
    """The same, encrypted from the start."""


def is_set_up() -> bool:
    """Whether the settings name a mail server and a sender."""
    return bool(settings.get("email.smtp_host") and settings.get("email.from_address"))


def server() -> Server:
    """The one that the settings name. Raises MailFailed where its password can't be read."""
    try:
        password = settings.get("email.smtp_password")
    except Undecryptable as error:
        raise MailFailed(f"{error}. Set email.smtp_password again.") from None
    return Server(
        host=settings.get("email.smtp_host"),
        port=settings.get("email.smtp_port"),
        security=settings.get("email.smtp_security"),
        username=settings.get("email.smtp_username"),
        password=password,
        sender=settings.get("email.from_address"),
    )


def message(sender: str, to: str | Group, subject: str, text: str) -> EmailMessage:
    """A mail that no absence note answers. Raises MailFailed for what no mail can hold, as a header of two lines."""
    made = EmailMessage()
    try:
        made["From"], made["To"], made["Subject"] = sender, to, " ".join(subject.split())
        made.set_content(text)
    except ValueError as error:
        raise MailFailed(str(error)) from None
    made["Date"] = format_datetime(utcnow())
    made["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834
    return made


def send(to: str, subject: str, text: str) -> None:
    """Send a mail to one recipient now. As `Server.send`; raises MailFailed."""
    known = server()
    known.send(message(known.sender, to, subject, text), [to])
