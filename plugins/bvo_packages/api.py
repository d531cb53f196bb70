"""Uploading a package, and its content for users. Robots download through the runner's API."""

from __future__ import annotations

from typing import Any

from flask import request, send_file
from flask_smorest import Blueprint
from werkzeug.exceptions import UnprocessableEntity
from werkzeug.wrappers import Response

from bvo import openapi, registry
from bvo.access import requires
from bvo.bodies import takes
from bvo.entities import ROW

from .archive import Limits
from .models import Package
from .schemas import PackageOut
from .service import PackageService

blueprint = Blueprint("package_files", __name__, url_prefix="/api/packages", description="Package files")

BODY = openapi.multipart(
    "report_1.2.3.zip",
    name="The package's name; needed unless the file is named name_1.2.3.zip",
    version="The package's version, of the form 1.2.3; likewise",
)


@blueprint.post("/upload")
@requires("packages:create")
@takes(Limits().max_compressed_bytes)
@blueprint.doc(requestBody=BODY)
@blueprint.alt_response(409)
@blueprint.response(200, PackageOut)
def upload() -> Package:
    """Upload a package"""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise UnprocessableEntity("Send the zip as multipart form field `file`.")
    service = registry.current().service(PackageService)
    return service.upload(file.filename, file.stream, request.form.get("name", ""), request.form.get("version", ""))  # type: ignore[arg-type]


@blueprint.get(f"/{ROW}/content")
@requires("packages:view")
@openapi.sends_file(blueprint, "application/zip", "Digest")
def content(row_id: int) -> Response:
    """The zip itself"""
    return send(registry.current().service(PackageService).get(row_id))


def send(package: Package) -> Response:
    """A response that streams the package's zip, with its digest."""
    service: Any = registry.current().service(PackageService)
    response = send_file(
        service.open(package),
        mimetype="application/zip",
        as_attachment=True,
        download_name=f"{package.name}_{package.version}.zip",
        etag=package.sha256,
    )
    response.content_length = package.size_bytes
    response.headers["Digest"] = f"sha-256={_base64(package.sha256)}"
    return response


def _base64(hex_digest: str) -> str:
    from base64 import b64encode

    return b64encode(bytes.fromhex(hex_digest)).decode()
