"""Mail, through the SMTP server that the settings of the group `email` name."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

from . import settings
from .database import utcnow
from .events import MASK
from .secrets import Undecryptable

TIMEOUT_SECONDS = 10
MAX_REASON = 300
SERVER_SETTINGS = ("smtp_host", "smtp_port", "smtp_security", "smtp_username", "smtp_password", "from_address")


class MailFailed(Exception):
    """A mail was not sent; says why, in the mail server's words and without the password."""


def is_set_up() -> bool:
    """Whether the settings name a mail server and a sender."""
    return bool(settings.get("email.smtp_host") and settings.get("email.from_address"))


def send(to: str, subject: str, text: str) -> None:
    """Send a mail now; the mail server has 10 s for each of its answers. Raises MailFailed.

    Belongs in the worker, or where somebody waits for the outcome; never in a transaction.
    """
    try:
        server = {name: settings.get(f"email.{name}") for name in SERVER_SETTINGS}
    except Undecryptable as error:
        raise MailFailed(f"{error}. Set email.smtp_password again.") from None
    try:
        _send(server, _message(server["from_address"], to, subject, text))
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise MailFailed(_reason(error, server["smtp_password"])) from None


def _send(server: dict[str, Any], message: EmailMessage) -> None:
    encryption = ssl.create_default_context()
    address = (server["smtp_host"], server["smtp_port"])
    with (
        smtplib.SMTP_SSL(*address, timeout=TIMEOUT_SECONDS, context=encryption)
        if server["smtp_security"] == "tls"
        else smtplib.SMTP(*address, timeout=TIMEOUT_SECONDS)
    ) as connection:
        if server["smtp_security"] == "starttls":
            connection.starttls(context=encryption)
        if server["smtp_username"]:
            connection.login(server["smtp_username"], server["smtp_password"] or "")
        connection.send_message(message)


def _message(sender: str, to: str, subject: str, text: str) -> EmailMessage:
    """A header is one line: EmailMessage refuses others with ValueError."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, " ".join(subject.split())
    message["Date"] = format_datetime(utcnow())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # so that no absence note answers (RFC 3834)
    message.set_content(text)
    return message


def _reason(error: Exception, password: str | None) -> str:
    """What a person is told of an SMTP error; a server may repeat what it was sent, also the password."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        error = smtplib.SMTPResponseException(*next(iter(error.recipients.values())))
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        told = f"{error.smtp_code} {answer.decode('utf-8', 'replace') if isinstance(answer, bytes) else answer}"
    else:
        told = str(error) or type(error).__name__
    return (told.replace(password, MASK) if password else told)[:MAX_REASON]
