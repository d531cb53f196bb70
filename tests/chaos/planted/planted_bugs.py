"""Bugs that the fire must find: each replaces a part of the product, and can be undone."""

from __future__ import annotations

import bugs_of_claims  # noqa: F401
import bugs_of_others  # noqa: F401
import bugs_of_records  # noqa: F401
from patches import PATCH

__all__ = ["PATCH"]
