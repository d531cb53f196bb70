from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bvo_webhooks import signing

BODY = '{"type": "job.succeeded", "data": {"name": "Rechnungen prüfen"}}'.encode()


@pytest.fixture
def now() -> datetime:
    """Receivers take no message that is older than five minutes."""
    return datetime.now(UTC)


def test_a_receiver_with_any_of_the_active_secrets_accepts_the_message(now: datetime) -> None:
    secrets = [signing.new_secret() for _ in range(3)]
    headers = signing.headers("msg_1", now, BODY, secrets)
    for secret in secrets:
        assert Webhook(secret).verify(BODY, headers)["type"] == "job.succeeded"
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(signing.new_secret()).verify(BODY, headers)


def test_one_secret_gives_one_signature(now: datetime) -> None:
    headers = signing.headers("msg_1", now, BODY, [signing.new_secret()])
    assert headers["webhook-signature"].startswith("v1,")
    assert " " not in headers["webhook-signature"]


def test_no_byte_of_the_body_can_be_changed(now: datetime) -> None:
    secret, body = signing.new_secret(), b'{"amount": 100}'
    headers = signing.headers("msg_1", now, body, [secret])
    for place in range(len(body)):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(WebhookVerificationError, match="No matching signature"):
            Webhook(secret).verify(changed, headers)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_id_and_time_are_signed_too(name: str, now: datetime) -> None:
    secret = signing.new_secret()
    changed = {name: "msg_2" if name == "webhook-id" else str(int(now.timestamp()) + 1)}
    headers = signing.headers("msg_1", now, BODY, [secret])
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(secret).verify(BODY, headers | changed)


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-7))], ids=str)
def test_the_time_is_in_whole_seconds_whatever_the_zone(zone: timezone) -> None:
    at = datetime(2026, 11, 29, 12, 0, 0, 999_999, UTC).astimezone(zone)
    assert signing.headers("msg_1", at, BODY, [signing.new_secret()])["webhook-timestamp"] == "1795953600"


@pytest.mark.parametrize("size", [24, 25, 26, 32, 64])
@pytest.mark.parametrize("prefix", ["whsec_", ""])
@pytest.mark.parametrize("padding", ["=", ""])
def test_secrets_that_were_brought_along_are_read_as_receivers_read_them(
    size: int, prefix: str, padding: str, now: datetime
) -> None:
    encoded = base64.b64encode(bytes(range(size))).decode()
    secret = prefix + (encoded if padding else encoded.rstrip("="))
    Webhook(secret).verify(BODY, signing.headers("msg_1", now, BODY, [secret]))


def test_new_secrets_differ_and_have_256_bits() -> None:
    first, second = signing.new_secret(), signing.new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_not-base64-at-all-but-long-enough",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ",
        "whsec_schlüsselschlüsselschlüsselschlüssel",
        "whsec_" + "A" * 100,
    ],
)
def test_a_secret_that_receivers_could_not_read_is_refused_and_not_shown(secret: str, now: datetime) -> None:
    with pytest.raises(ValueError, match="must be whsec_ and 24 to 64 bytes in base64") as refusal:
        signing.headers("msg_1", now, BODY, [signing.new_secret(), secret])
    assert secret.removeprefix("whsec_") == "" or secret.removeprefix("whsec_") not in repr(refusal.value)


def test_nothing_is_sent_unsigned(now: datetime) -> None:
    with pytest.raises(ValueError, match="at least one secret"):
        signing.headers("msg_1", now, BODY, [])


@pytest.mark.parametrize("message_id", ["", "msg.1"])
def test_an_id_that_would_blur_what_is_signed_is_refused(message_id: str, now: datetime) -> None:
    with pytest.raises(ValueError, match="A message's id must not"):
        signing.headers(message_id, now, BODY, [signing.new_secret()])
