"""The form on a webhook's page that asks for everything since a time once more."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request
from marshmallow import ValidationError
from werkzeug.exceptions import UnprocessableEntity
from werkzeug.wrappers import Response

from bvo import registry
from bvo.access import requires
from bvo.entities import ROW
from bvo.forms import Form

from .schemas import ReplayIn
from .service import WebhookService

pages = Blueprint("webhook_pages", __name__, url_prefix="/ui/webhooks", template_folder="templates")


@pages.post(f"/{ROW}/replay")
@requires("webhooks:edit", principals=("user",))
def replay(row_id: int) -> Response:
    form = Form.of(ReplayIn()).entered(request.form)
    try:
        since = form.data()["since"]
    except ValidationError as error:
        raise UnprocessableEntity("Give a date and a time.") from error
    webhook = registry.current().service(WebhookService).replay(row_id, since)
    flash(f"What happened since then is sent to {webhook.name} once more.")
    return redirect(f"/ui/webhooks/{row_id}")
