"""Packages and artifacts in a bucket of S3, or of a server that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import PackageStore, PluginInfo, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="s3", summary="Packages and artifacts in an S3-compatible store", requires=("packages",))


@hookimpl
def package_stores() -> Iterable[PackageStore]:
    from .connection import connect

    return [PackageStore(name="s3", connect=connect)]
