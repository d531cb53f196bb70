"""What a script prints: read as fast as it comes, kept within bounds however much it is."""

from __future__ import annotations

import codecs
import io
import logging
import subprocess
import threading

from bvo_agent.journal import Journal, whole_characters
from bvo_agent.masking import MaskedStream, Masks

logger = logging.getLogger(__name__)
TAIL_BYTES = 64 * 1024
LOG_LIMIT_BYTES = 10 * 1024 * 1024
ECHO_LINE_CHARACTERS = 2000


class JobLog:
    """Decodes and masks the output; writes it into the journal (`limit` bytes a job), and holds the last 64 KiB."""

    def __init__(
        self, echo_prefix: str, journal: Journal, limit: int = LOG_LIMIT_BYTES, masks: Masks | None = None
    ) -> None:
        self.arrived = threading.Event()
        self._lock = threading.Lock()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.masks = masks or Masks()
        self.journal = journal
        self._stream = MaskedStream(self.masks)
        self._prefix = echo_prefix
        self._line = ""
        self._room = limit
        self._left_out = 0
        self._tail = b""
        self._closed = False

    def write(self, data: bytes, final: bool = False) -> None:
        """Takes the next bytes of the output. What arrives after `close` is dropped."""
        with self._lock:
            if self._closed:
                return
            # PostgreSQL's text cannot hold NUL.
            text = self._stream.feed(self._decoder.decode(data, final), final).replace("\0", "\ufffd")
            encoded = text.encode()
            if not encoded:
                return
            self._tail = (self._tail + encoded)[-TAIL_BYTES:]
            taken = whole_characters(encoded, self._room) if self._room else b""
            taken = taken if self._written(taken) else b""
            # After the first cut nothing more is taken: a log with holes would mislead.
            self._room = self._room - len(taken) if len(taken) == len(encoded) else 0
            self._left_out += len(encoded) - len(taken)
        if taken:
            self.arrived.set()
            self._echo(text if len(taken) == len(encoded) else taken.decode())

    def close(self) -> None:
        """Ends the log: flushes a half line and says how much was left out."""
        self.write(b"", final=True)
        with self._lock:
            self._closed = True
            if self._left_out:
                self._written(f"\n[{self._left_out} bytes of output were left out]\n".encode())
        if self._line:
            self._echo("\n")
        if self._left_out:
            logger.info("%s | [%d bytes of output were left out]", self._prefix, self._left_out)

    def tail(self) -> str:
        """The last 64 KiB of the output; a character that the cut has split is left out."""
        with self._lock:
            return self._tail.decode(errors="ignore")

    def _written(self, data: bytes) -> bool:
        try:
            self.journal.append(data)
        except OSError as error:
            logger.error("%s | the output could not be written to the disk: %s", self._prefix, error)
            return False
        return True

    def _echo(self, text: str) -> None:
        *lines, self._line = (self._line + text).split("\n")
        if len(self._line) > ECHO_LINE_CHARACTERS:
            lines.append(self._line)
            self._line = ""
        for line in lines:
            logger.info("%s | %s", self._prefix, line.rstrip("\r")[:ECHO_LINE_CHARACTERS])


class OutputPump(threading.Thread):
    """Reads a process's pipe to its end. A daemon: an escaped child may hold the pipe open for ever."""

    def __init__(self, process: subprocess.Popen[bytes], log: JobLog) -> None:
        super().__init__(name="output", daemon=True)
        self._process = process
        self._log = log

    def run(self) -> None:
        assert isinstance(self._process.stdout, io.BufferedReader)  # noqa: S101 - a pipe, opened for bytes
        with self._process.stdout as pipe:
            while data := pipe.read1(TAIL_BYTES):
                self._log.write(data)
