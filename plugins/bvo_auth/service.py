"""The token of a session, as Bearer header or cookie."""

from __future__ import annotations

from typing import Any

import jwt
from flask_jwt_extended import decode_token, verify_jwt_in_request
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException
from jwt.exceptions import PyJWTError
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.wrappers import Request

from bvo.sessions import GENERATION
from bvo_access.service import load_principal
from bvo_hookspecs import Principal


def authenticate_session(request: Request) -> Principal | None:
    """The user of the token, with the roles of this moment. Raises Unauthorized for a token that does not hold."""
    if not _is_session(request):
        return None
    try:
        claims = _claims(request)
    except CSRFError:
        raise Forbidden(
            "The form was not sent from this site, or is too old. Load the page again and repeat."
        ) from None
    except (JWTExtendedException, PyJWTError):
        raise Unauthorized("Your session has expired or is not valid. Log in again.") from None
    if claims is None:
        return None
    found = load_principal(int(claims["sub"]))
    if found is None:
        raise Unauthorized("This user does not exist any more, or is disabled.")
    if claims.get(GENERATION) != found.generation:
        raise Unauthorized("This session was ended. Log in again.")
    return found


def _claims(request: Request) -> dict[str, Any] | None:
    """Those of the Bearer token, whatever the case of its scheme, else of the cookie; None where there is neither."""
    given = request.authorization
    if given is not None and given.type == "bearer":
        return decode_token(given.token or "")
    found = verify_jwt_in_request(optional=True)
    return found[1] if found else None


def _is_session(request: Request) -> bool:
    """False for a Bearer token of another type, which another provider knows: SDK tokens say so in their header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return True
    try:
        return bool(jwt.get_unverified_header(token).get("typ") == "JWT")
    except PyJWTError:
        return True
