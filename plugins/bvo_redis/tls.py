"""How the server is known by its certificate, and how it knows us by ours."""

from __future__ import annotations

import ssl
from urllib.parse import parse_qsl

from bvo.errors import StartupError

CA, CERTIFICATE, KEY = "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"
"""As redis-py calls them, in URLs, too."""


def files(query: str) -> dict[str, str]:
    """The PEM files that the query of the URL names. Raises StartupError for what can't be used.

    They are read again for each connection: certificates are renewed while we run.
    """
    named = dict(parse_qsl(query, keep_blank_values=True))
    if not named.keys() <= {CA, CERTIFICATE, KEY}:
        raise StartupError(f"BVO_REDIS_STREAM_URL may have {CA}, {CERTIFICATE} and {KEY} behind `?`, and nothing else.")
    if KEY in named and CERTIFICATE not in named:
        raise StartupError(f"BVO_REDIS_STREAM_URL has {KEY} without {CERTIFICATE}: name the certificate of this key.")
    _try(named)
    return named


def _try(named: dict[str, str]) -> None:
    try:
        context = ssl.create_default_context(cafile=named.get(CA))
    except OSError as error:
        raise StartupError(
            f"BVO_REDIS_STREAM_URL names {named[CA]} as {CA}, which has no certificates in PEM: {error}."
        ) from None
    if CERTIFICATE not in named:
        return
    try:
        context.load_cert_chain(named[CERTIFICATE], named.get(KEY), password="")
    except (OSError, ValueError) as error:
        raise StartupError(
            f"BVO_REDIS_STREAM_URL names {named[CERTIFICATE]} as {CERTIFICATE}, and {named.get(KEY) or 'nothing'} as"
            f" {KEY}: {error}. They must be a certificate and its key in PEM; the key has no password."
        ) from None
