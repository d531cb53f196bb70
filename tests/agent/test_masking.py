"""Masking of texts, also of those that come in pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bvo_agent.masking import MASK, MaskedStream, Masks

LETTERS = st.text("abc", max_size=40)
SECRETS = st.lists(st.text("abc", min_size=4, max_size=12), min_size=1, max_size=3)


def masks_of(*secrets: str) -> Masks:
    masks = Masks()
    for secret in secrets:
        masks.add(secret)
    return masks


def streamed(masks: Masks, *pieces: str) -> str:
    stream = MaskedStream(masks)
    return "".join([*map(stream.feed, pieces), stream.feed("", final=True)])


@given(secrets=SECRETS, pieces=st.lists(LETTERS, max_size=12))
def test_a_text_in_pieces_is_masked_as_the_whole_would_be(secrets, pieces):
    masks = masks_of(*secrets)
    assert streamed(masks, *pieces, "\n") == masks.text("".join(pieces) + "\n")


@given(secrets=SECRETS, text=LETTERS)
def test_every_character_of_every_secret_is_masked_and_no_other(secrets, text):
    hidden = [False] * len(text)
    for secret in secrets:
        for at in range(len(text)):
            if text.startswith(secret, at):
                hidden[at : at + len(secret)] = [True] * len(secret)
    shown = "".join(letter for letter, hide in zip(text, hidden, strict=True) if not hide)
    assert masks_of(*secrets).text(text).replace(MASK, "") == shown


@given(secrets=SECRETS, pieces=st.lists(LETTERS, max_size=12))
def test_what_waits_is_shorter_than_the_longest_secret(secrets, pieces):
    masks = masks_of(*secrets)
    stream = MaskedStream(masks)
    shown = "".join(map(stream.feed, pieces))
    assert len(masks.text("".join(pieces))) - len(shown) < max(map(len, secrets))


def test_without_secrets_nothing_waits():
    assert MaskedStream(Masks()).feed("any text") == "any text"


def test_a_secret_that_comes_later_is_masked_from_then_on():
    masks = Masks()
    stream = MaskedStream(masks)
    assert stream.feed("hunter22 hun") == "hunter22 hun"
    masks.add("hunter22")
    assert stream.feed("hunter22 hun") == "*** "
    assert stream.feed("t") == ""
    assert stream.feed("ing\n") == "hunting\n"


def test_a_secret_that_was_begun_at_the_end_is_masked():
    assert streamed(masks_of("hunter22"), "the hunte") == "the ***"
    assert streamed(masks_of("hunter22"), "the hun") == "the hun"


def test_each_line_of_a_secret_is_masked_and_what_stands_around_it_is_not():
    masks = masks_of("  first-line \n\tab\nsecond-line\n")
    assert masks.text("> second-line\n>   first-line ") == "> ***\n>   *** "
    assert masks.text("ab") == "ab"
    assert masks.text("first-line \n\tab\nsecond-line") == MASK


def test_what_is_shorter_than_four_characters_is_not_masked():
    assert masks_of("abc", "   \n  ", "").text("abc    ") == "abc    "


def test_a_secret_is_masked_as_json_and_python_quote_it():
    secret = "pä\"ss\\w'örd"
    masks = masks_of(secret)
    for text in (secret, repr(secret), '{"a": "p\\u00e4\\"ss\\\\w\'\\u00f6rd"}', '"pä\\"ss\\\\w\'örd"'):
        shown = masks.text(text)
        assert MASK in shown
        assert "ss" not in shown


def test_texts_keys_and_numbers_of_a_json_value_are_masked():
    value = {"a-4711": ["x4711y", 4711, 47110, 0.5, None, True], "b": {"c": ""}}
    masked = {"a-***": ["x***y", MASK, 47110, 0.5, None, True], "b": {"c": ""}}
    assert masks_of("4711").value(value) == masked


def test_the_log_is_masked_before_it_is_cut(make_log, tmp_path):
    log = make_log(limit=8, masks=masks_of("hunter22"))
    log.write(b"12345hun")
    log.write(b"ter22")
    log.close()
    assert (tmp_path / "1.log").read_text() == "12345***"
    assert log.tail() == "12345***"
    log = make_log(limit=6, masks=masks_of("hunter22"))
    log.write(b"12345hunter22")
    log.close()
    assert (tmp_path / "1.log").read_text().startswith("12345*\n")


def test_a_character_that_is_split_between_reads_is_masked_with_its_secret(make_log):
    log = make_log(masks=masks_of("gehéim"))
    data = "ein gehéim\n".encode()
    for each in data:
        log.write(bytes([each]))
    log.close()
    assert log.tail() == "ein ***\n"
