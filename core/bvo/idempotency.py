"""`Idempotency-Key`: a POST that is sent again, because its answer was lost, is carried out once and answered twice.

It holds for every POST of a user or a developer's tool, whatever the POST does: one rule is easier to rely on than a
list of routes. Robots are left out, since their leases fence what they send, and so are public routes, where nobody is
known whose key it could be.

A form of a page has the key in a hidden field. There it stands for what was entered, too: the same again is answered
twice, but whoever goes back and enters something else has sent something else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import time
from typing import Any

from flask import Flask, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from . import access, idempotency_keys, secrets
from .idempotency_keys import Attempt, IdempotencyKey

log = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
FIELD = "idempotency_key"
"""The hidden field of a form."""
PATIENCE = 12
"""So often a form that was sent twice, as by a double click, asks for the first answer, every quarter of a second."""
REPLAYED = "Idempotent-Replayed"
KEY = re.compile(r"[!-~]{1,255}")
MAX_ANSWER_BYTES = 256 * 1024
KEPT_HEADERS = ("Content-Type", "Location", "ETag")
PASSING = frozenset({401, 403, 408, 412, 429})
"""Refusals that the same request may get past later: they are not kept."""
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


def init_app(app: Flask) -> None:
    """After access: what is refused there never gets here."""
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> Response | None:
    """Claim the key, or answer in place of the view."""
    caller = access.principal()
    if request.method != "POST" or caller.kind == "robot" or caller.id is None:
        return None
    if HEADER in request.headers:
        row = idempotency_keys.claim(_scope(_key(request.headers[HEADER])), _fingerprint())
    elif request.mimetype in FORMS and (key := request.form.get(FIELD)):
        row = _claim_patiently(_key(key))
    else:
        return None
    if row.status is not None:
        return _replay(row)
    g.idempotency = idempotency_keys.begin(row.id)
    return None


def _claim_patiently(key: str) -> IdempotencyKey:
    fingerprint = _fingerprint()
    for _ in range(PATIENCE):
        try:
            return idempotency_keys.claim(_scope(key + fingerprint), fingerprint)
        except idempotency_keys.InFlight:
            time.sleep(0.25)
    return idempotency_keys.claim(_scope(key + fingerprint), fingerprint)


def _finish(response: Response) -> Response:
    """Keep the answer, or free the key. What fails here changes no answer: a retry is told that it is lost."""
    attempt: Attempt | None = g.pop("idempotency", None)
    if attempt is None:
        return response
    try:
        idempotency_keys.end(attempt, lambda session, row: _settle(session, row, response))
    except SQLAlchemyError:
        log.exception("The answer to a request with an %s could not be kept", HEADER)
    return response


def _key(given: str) -> str:
    """The header's value: a string as structured fields write it, in quotes, or bare."""
    quoted = len(given) > 1 and given.startswith('"') and given.endswith('"')
    key = given[1:-1] if quoted else given
    if not KEY.fullmatch(key):
        raise BadRequest(f"{HEADER} must have 1 to 255 visible ASCII characters. Send a random one, such as a UUID.")
    return key


def _scope(key: str) -> str:
    """Whose key it is, and for which route: the same key elsewhere is another one."""
    caller = access.principal()
    parts = (caller.kind, caller.id, request.method, _path(), key)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _fingerprint() -> str:
    """What tells this request from another one, under the server's key: bodies hold passwords that one could guess."""
    parts = (request.method, _path(), request.query_string.decode("latin-1"), *_content())
    return hmac.digest(str(current_app.secret_key).encode(), json.dumps(parts).encode(), "sha256").hex()


def _content() -> tuple[Any, ...]:
    """The kind of the body and its digest. Files are read in pieces; a multipart boundary counts for nothing."""
    if request.mimetype not in FORMS:
        return request.content_type, hashlib.sha256(request.get_data(cache=True)).hexdigest()
    files = []
    for field, file in request.files.items(multi=True):
        files.append((field, file.filename, hashlib.file_digest(file.stream, "sha256").hexdigest()))  # type: ignore[arg-type]
        file.stream.seek(0)
    return request.mimetype, list(request.form.items(multi=True)), files


def _path() -> str:
    return request.path.rstrip("/")


def _replay(row: IdempotencyKey) -> Response:
    try:
        body = secrets.current().decrypt(row.body or "", secrets.place(row, "body"))
    except secrets.Undecryptable:
        raise idempotency_keys.lost() from None
    return Response(body.encode("latin-1"), row.status, {**(row.headers or {}), REPLAYED: "true"})


def _settle(session: Session, row: IdempotencyKey, response: Response) -> None:
    body = _kept_body(response)
    if response.status_code in PASSING or (body is None and not row.carried_out):
        session.delete(row)
        return
    row.status = response.status_code
    row.headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    row.body = None if body is None else secrets.current().encrypt(body, secrets.place(row, "body"))


def _kept_body(response: Response) -> str | None:
    """The body as text, byte for byte; None for failures of the server, and for what is too large to be kept."""
    if response.status_code >= 500 or response.is_streamed:
        return None
    body = response.get_data()
    return body.decode("latin-1") if len(body) <= MAX_ANSWER_BYTES else None
