"""Brings third-party static files into the package without a copy of them in the repository.

The files come from wheels that `[build-system].requires` names: they are there while a wheel or an editable
install is built, and whoever installs the result needs neither those wheels nor a network.
"""

import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = Path("webui/bvo_webui/static/vendor")


class Asset(NamedTuple):
    distribution: str
    source: str  # the end of the file's path in that distribution: unambiguous, or the build stops
    target: str  # its name in VENDOR


ASSETS = (
    Asset("django-htmx", "/static/django_htmx/htmx-2.min.js", "htmx.min.js"),
    Asset("flask-swagger-ui", "/flask_swagger_ui/dist/swagger-ui-bundle.js", "swagger-ui-bundle.js"),
    Asset("flask-swagger-ui", "/flask_swagger_ui/dist/swagger-ui.css", "swagger-ui.css"),
    Asset("flask-swagger-ui", "/flask_swagger_ui/dist/LICENSE", "swagger-ui.LICENSE.txt"),
    Asset("django-htmx", "/licenses/LICENSE", "django-htmx.LICENSE.txt"),  # htmx itself is 0BSD: none is due
)


class StaticFilesHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        vendor = Path(self.root, VENDOR)
        vendor.mkdir(parents=True, exist_ok=True)
        for asset in ASSETS:
            shutil.copyfile(locate(asset), vendor / asset.target)
        if version == "standard":  # an editable install reads the examples where they stand
            build_data["force_include"]["examples/packages"] = "bvo_demo/examples"


def locate(asset: Asset) -> Path:
    installed = distribution(asset.distribution)
    found = [file for file in installed.files or () if f"/{file}".endswith(asset.source)]
    if len(found) != 1:
        raise FileNotFoundError(
            f"{asset.distribution} {installed.version} has {len(found)} files that end in {asset.source!r}, "
            f"not one: correct ASSETS in hatch_build.py or the version in [build-system].requires"
        )
    return Path(found[0].locate())
