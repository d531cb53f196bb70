"""A real SMTP server on a free port: it keeps what it is sent, with STARTTLS or TLS, and a login where one is set."""

from __future__ import annotations

import base64
import datetime as dt
import socketserver
import ssl
import threading
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class MailServer(socketserver.ThreadingTCPServer):
    """`received` holds the mails. A context manager; `certificate` makes it speak TLS."""

    daemon_threads = True

    def __init__(
        self, security: str = "none", certificate: Path | None = None, login: tuple[str, str] | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.security, self.login = security, login
        self.received: list[EmailMessage] = []
        self.refusal = ""
        """What every recipient is refused with, e.g. `550 no such user`."""
        self.refusals: dict[str, str] = {}
        """What single recipients are refused with."""
        self.text_refusal = ""
        """What a mail is refused with when its text has come."""
        self.reached: list[list[str]] = []
        """Who got each mail, whatever its headers say."""
        self.answering = threading.Event()
        """Cleared, it takes connections and says nothing."""
        self.answering.set()
        self.acknowledging = threading.Event()
        """Cleared, it takes mails and does not say that it has."""
        self.acknowledging.set()
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if certificate:
            self.tls.load_cert_chain(certificate)

    @property
    def settings(self) -> dict[str, Any]:
        """What the settings of the group `email` must be to reach it."""
        return {
            "smtp_host": "localhost",
            "smtp_port": self.server_address[1],
            "smtp_security": self.security,
            "smtp_username": self.login[0] if self.login else None,
            "smtp_password": self.login[1] if self.login else None,
            "from_address": "bvo@example.com",
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is the client's affair."""


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.recipients: list[str] = []
        self.server.answering.wait()
        if self.server.security == "tls":
            self._encrypt()
        self._say("220 ready")
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            if verb.upper() == "QUIT":
                self._say("221 bye")
                return
            getattr(self, f"_{verb.lower()}")(rest)

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def _ehlo(self, _: str) -> None:
        offered = ["localhost"]
        if self.server.security == "starttls" and not isinstance(self.connection, ssl.SSLSocket):
            offered.append("STARTTLS")
        elif self.server.login:
            offered.append("AUTH PLAIN")
        for word in offered[:-1]:
            self._say(f"250-{word}")
        self._say(f"250 {offered[-1]}")

    def _starttls(self, _: str) -> None:
        self._say("220 go on")
        self._encrypt()

    def _auth(self, given: str) -> None:
        _, username, password = base64.b64decode(given.partition(" ")[2]).decode().split("\0")
        right = (username, password) == self.server.login
        self._say("235 welcome" if right else f"535 5.7.8 {username} with {password} is not known here")

    def _mail(self, _: str) -> None:
        self._say("250 ok")

    def _rcpt(self, to: str) -> None:
        recipient = to.partition("<")[2].partition(">")[0]
        refusal = self.server.refusal or self.server.refusals.get(recipient)
        if not refusal:
            self.recipients.append(recipient)
        self._say(refusal or "250 ok")

    def _rset(self, _: str) -> None:
        self._say("250 ok")

    def _data(self, _: str) -> None:
        self._say("354 go on")
        lines = iter(self.rfile.readline, b".\r\n")
        text = b"".join(lines)
        if self.server.text_refusal:
            self._say(self.server.text_refusal)
            return
        self.server.received.append(message_from_bytes(text, policy=default))
        self.server.reached.append(self.recipients)
        self.server.acknowledging.wait()
        self._say("250 taken")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def _encrypt(self) -> None:
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)


def text_of(message: EmailMessage) -> str:
    """Its text, with the ends of lines that Python has."""
    text: str = message.get_content()
    return text.replace("\r\n", "\n")


def make_certificate(path: Path) -> Path:
    """Write a key and a certificate for `localhost` that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now, public = dt.datetime.now(dt.UTC), key.public_key()
    builder = x509.CertificateBuilder(name, name, public, x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
    )
    for extension, critical in (
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, encipher_only=False, decipher_only=False, **usage
            ),
            True,
        ),
        (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False),
    ):
        builder = builder.add_extension(extension, critical)
    signed = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path
