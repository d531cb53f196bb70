"""A real server that speaks S3, in a process of its own, and one that compares checksums as S3 does."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import requests

from support.servers import free_port

MOTO = (sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "geheim", "AWS_EC2_METADATA_DISABLED": "true"}


class S3:
    """A context manager; what it holds is gone with it."""

    def __enter__(self) -> Self:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = (*MOTO, str(port))
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._numbers = itertools.count(1)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, "the S3 server did not start"
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.05)
        return self

    def __exit__(self, *ended_by: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def new_bucket(self) -> Bucket:
        return Bucket(self.url, f"bucket-{next(self._numbers)}")

    def _answers(self) -> bool:
        try:
            return requests.get(self.url, timeout=5).ok
        except requests.ConnectionError:
            return False


class Bucket:
    """What operators would see of a bucket, and what it may suffer."""

    def __init__(self, url: str, name: str) -> None:
        import boto3

        self.environment = {"BVO_S3_ENDPOINT": url, "BVO_S3_BUCKET": name, "BVO_S3_REGION": "us-east-1", **CREDENTIALS}
        self.name = name
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        self.client.create_bucket(Bucket=name)

    def keys(self) -> set[str]:
        answer = self.client.list_objects_v2(Bucket=self.name)
        return {found["Key"] for found in answer.get("Contents", ())}

    def damage(self, key: str) -> None:
        """Change the object's last byte, and nothing that is said of it."""
        found = self.client.get_object(Bucket=self.name, Key=key)
        content = found["Body"].read()
        content = content[:-1] + bytes([content[-1] ^ 1])
        self.client.put_object(Bucket=self.name, Key=key, Body=content, Metadata=found["Metadata"])


class _Comparing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # which lets clients send what they have announced

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        same = self.headers["x-amz-checksum-sha256"] == b64encode(hashlib.sha256(body).digest()).decode()
        answer = b"" if same else b"<Error><Code>BadDigest</Code><Message>It does not match.</Message></Error>"
        self.send_response(200 if same else 400)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def comparing_server() -> Iterator[str]:
    """The URL of a server that refuses what does not have the SHA-256 that it comes with; it keeps nothing."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Comparing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
