"""boto3's errors as those that a store may raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError


@contextmanager
def as_os_errors() -> Iterator[None]:
    """FileNotFoundError where the object is missing, OSError for everything else, also a missing bucket."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            raise FileNotFoundError(str(error)) from None
        raise OSError(str(error)) from error
    except BotoCoreError as error:
        raise OSError(str(error)) from error
