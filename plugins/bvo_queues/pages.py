"""What the web UI does with many items of a queue at once."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request
from werkzeug.wrappers import Response

from bvo import registry
from bvo.access import requires
from bvo.entities import ROW

from . import failures
from .service import QueueService

pages = Blueprint("queue_pages", __name__, url_prefix=f"/ui/queues/{ROW}")


@pages.post("/retry-failed")
@requires("queue_items:edit")
def retry_failed(row_id: int) -> Response:
    """Try the items again that failed for one reason."""
    queue = registry.current().service(QueueService).get(row_id)
    count = len(failures.retry(queue.id, request.form.get("fingerprint", "")))
    words = f"{count} {'item' if count == 1 else 'items'} of the queue {queue.name} will be tried again."
    flash(words, f"/ui/queue-items/?queue_id={queue.id}&status=new")
    return redirect(f"/ui/queues/{queue.id}")
