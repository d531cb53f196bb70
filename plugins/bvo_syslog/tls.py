"""How the syslog server is known, and how it knows us."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from bvo.errors import StartupError

FILES = ("BVO_SYSLOG_CA_FILE", "BVO_SYSLOG_CERT_FILE", "BVO_SYSLOG_KEY_FILE")


@dataclass(frozen=True)
class Tls:
    """PEM files. Without `ca_file`, the system's authorities are trusted; `key_file` may be the same as `cert_file`."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    def context(self) -> ssl.SSLContext:
        """Made for each connection: certificates are renewed while we run. Raises StartupError for unusable files."""
        ca, cert, key = FILES
        if self.key_file and not self.cert_file:
            raise StartupError(f"{key} is set, and {cert} is not: name the certificate of this key.")
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise StartupError(f"{ca} is {self.ca_file}, which has no certificates in PEM: {error}.") from None
        if self.cert_file:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password="")
            except (OSError, ValueError) as error:
                raise StartupError(
                    f"{cert} is {self.cert_file}, and {key} {self.key_file or 'not set'}: {error}."
                    " They must be a certificate and its key in PEM; the key has no password."
                ) from None
        return context
