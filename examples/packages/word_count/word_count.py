# /// script
# requires-python = ">=3.11"
# dependencies = ["wcwidth>=0.2.13"]
# ///
"""Count the words of a text: one file that brings its own requirements (PEP 723).

Parameters: `text` (without it a sample is counted) and `top`, how many words to list (10).
Result: `{"words": .., "distinct": .., "most_frequent": [{"word": .., "count": ..}, ..]}`.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from typing import Any

from wcwidth import wcswidth

import bvo_job

# Letters, with an apostrophe or a hyphen inside: "it's" and "well-known" are one word each.
WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
SAMPLE = """
The robot reads the mail, the robot writes the report, and the people read the report.
Der Roboter schreibt, die Leute lesen. ロボット が 書く、 人 が 読む。 人 が 喜ぶ。
"""


def main() -> int:
    """Count and report; the exit code is 1 for parameters that cannot be used."""
    text, top = bvo_job.parameters.get("text", SAMPLE), bvo_job.parameters.get("top", 10)
    problem = find_problem(text, top)
    if problem:
        bvo_job.log(problem, "error")
        return 1
    counts = count_words(text)
    most_frequent = counts.most_common(top)
    for line in table(most_frequent):
        bvo_job.log(line)
    bvo_job.set_result(
        {
            "words": counts.total(),
            "distinct": len(counts),
            "most_frequent": [{"word": word, "count": count} for word, count in most_frequent],
        }
    )
    return 0


def find_problem(text: Any, top: Any) -> str | None:
    """What is wrong with the parameters, if anything."""
    if not isinstance(text, str):
        return f"The parameter text is {type(text).__name__}: send a string."
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        return f"The parameter top is {top!r}: send a whole number from 1."
    return None


def count_words(text: str) -> Counter[str]:
    """Words in lower case; the same letters in another Unicode form are the same word."""
    return Counter(WORD.findall(unicodedata.normalize("NFC", text).casefold()))


def table(rows: list[tuple[str, int]]) -> list[str]:
    """Lines that stand below each other in a terminal, where some letters are two columns wide."""
    width = max([wcswidth(word) for word, _ in rows] + [len("word")])
    lines = [f"{pad('word', width)}  count", f"{'-' * width}  -----"]
    return lines + [f"{pad(word, width)}  {count:>5}" for word, count in rows]


def pad(word: str, width: int) -> str:
    """Fill up to the width in columns."""
    return word + " " * (width - wcswidth(word))


if __name__ == "__main__":
    sys.exit(main())
