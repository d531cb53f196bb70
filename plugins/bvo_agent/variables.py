"""Which environment variables the runner's children see: a short list, so that no secret leaks."""

from __future__ import annotations

import os

_PLAIN = """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TEMP TMP
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
    DISPLAY WAYLAND_DISPLAY XAUTHORITY XDG_RUNTIME_DIR
    SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT USERPROFILE USERNAME HOMEDRIVE HOMEPATH APPDATA LOCALAPPDATA
    PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROCESSOR_ARCHITECTURE NUMBER_OF_PROCESSORS
"""
ALLOWED = frozenset(_PLAIN.split())


def script_variables() -> dict[str, str]:
    """What a job's script inherits."""
    return {name: value for name, value in os.environ.items() if name in ALLOWED or name.startswith("LC_")}


def uv_variables() -> dict[str, str]:
    """What uv inherits: its own settings too, which say where packages come from (it ignores pip's)."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("UV_")}
    return {**script_variables(), **settings}
