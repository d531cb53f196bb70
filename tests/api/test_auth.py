"""Logging in, and what a token is worth from one request to the next."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from flask_jwt_extended import create_access_token

from conftest import token_of
from support.api import Api
from support.problems import refused
from support.state import State


def log_in(client: Api, username: str, password: str, **more: str) -> object:
    return client.post("/api/auth/login", data={"username": username, "password": password, **more})
