"""What a member of a package archive may be called, so that it unpacks alike on Windows, macOS and Linux."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_UTF8_FLAG = 0x800
_MAX_SEGMENT_BYTES = 255  # ext4, APFS and NTFS all stop here
_SHOWN = 80  # characters of a name in a message: a hostile name may have 64 KiB
_DRIVE = re.compile(r"[A-Za-z]:")
_RESERVED = re.compile(r'[<>:"|?*]')
# The key of a name is NFKC, which also turns the superscript twins of COM1 to COM3 into plain digits.
_DEVICE = re.compile(r"(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9]|lpt[0-9]) *(\.|$)")
_APPLE = ("__MACOSX/", "._")
# Control, invisible formatting (text direction can disguise an extension), line and paragraph marks.
_UNSEEN = {"Cc", "Cf", "Zl", "Zp"}


class ArchiveError(ValueError):
    """The archive is refused; the message is one sentence that names the member and says what to do."""


def shown(name: str) -> str:
    """The name as a message may carry it: quoted, escaped and cut."""
    return repr(name if len(name) <= _SHOWN else name[:_SHOWN] + "...")


def decode(raw: bytes, flags: int) -> str:
    """The name as text. macOS and Linux may write UTF-8 without its flag: tried before code page 437."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if flags & _UTF8_FLAG:
            raise ArchiveError(f"{shown(ascii(raw))} is not valid UTF-8: rename it and pack again.") from None
    return raw.decode("cp437")


def is_script(name: str) -> bool:
    """Whether it is a Python file, and not the `._` twin that macOS Finder packs beside each file."""
    return name.lower().endswith(".py") and not name.startswith(_APPLE) and "/._" not in name


def check_name(name: str, max_length: int, max_depth: int) -> None:
    """Refuse a name that could leave the target folder or that one of the three systems cannot store."""
    path = name.removesuffix("/")
    segments = path.split("/")
    problem = _path_problem(path) or next(filter(None, map(_segment_problem, segments)), None)
    if len(path) > max_length:
        problem = f"is longer than {max_length} characters: shorten it"
    elif len(segments) > max_depth:
        problem = f"lies more than {max_depth} folders deep: move it up"
    if problem:
        raise ArchiveError(f"{shown(name)} {problem} and pack again.")


def _path_problem(path: str) -> str | None:
    if not path:
        return "is an empty name: give it one"
    if any(unicodedata.category(character) in _UNSEEN for character in path):
        return "contains a control or invisible character: rename it"
    if "\\" in path:
        return "contains a backslash: use / between folders"
    if path.startswith("/") or _DRIVE.match(path):
        return "is an absolute path: make it relative"
    if _RESERVED.search(path):
        return 'contains one of < > : " | ? *, which Windows cannot store: rename it'
    return None


def _segment_problem(segment: str) -> str | None:
    if not segment:
        return "has an empty path segment: remove the double /"
    if segment in (".", ".."):
        return "contains a . or .. segment: remove it"
    if segment[-1] in ". ":
        return "has a segment that ends with a dot or a space, which Windows drops: rename it"
    if _DEVICE.match(_key(segment)):
        return "is the name of a Windows device: rename it"
    if len(segment.encode("utf-8")) > _MAX_SEGMENT_BYTES:
        return f"has a segment of more than {_MAX_SEGMENT_BYTES} bytes: shorten it"
    return None


def _key(path: str) -> str:
    """Equal for names that a file system which ignores case or Unicode form may take for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def _folders(path: str) -> Iterator[str]:
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)


class Tree:
    """The paths met so far; refuses what would write over an earlier path on some file system."""

    def __init__(self) -> None:
        self._spelling: dict[str, str] = {}
        self._members: set[str] = set()
        self._files: set[str] = set()
        self._parents: set[str] = set()

    def add(self, name: str) -> None:
        """Take a checked member name (a folder ends with /) or raise `ArchiveError`."""
        path = name.removesuffix("/")
        for folder in _folders(path):
            self._add_parent(folder, name)
        self._same_spelling(path, name)
        if path in self._members:
            raise ArchiveError(f"{shown(name)} is in the archive twice: keep one and pack again.")
        if not name.endswith("/"):
            if path in self._parents:
                raise _both(path)
            self._files.add(path)
        self._members.add(path)

    def _add_parent(self, folder: str, name: str) -> None:
        if folder in self._files:
            raise _both(folder)
        if folder not in self._parents:
            self._same_spelling(folder, name)
            self._parents.add(folder)

    def _same_spelling(self, path: str, name: str) -> None:
        first = self._spelling.setdefault(_key(path), path)
        if first != path:
            twins = f"{shown(name)} and {shown(first)}"
            raise ArchiveError(f"{twins} differ only in case or Unicode form: rename one and pack again.")


def _both(path: str) -> ArchiveError:
    return ArchiveError(f"{shown(path)} is a file and a folder: rename one and pack again.")
