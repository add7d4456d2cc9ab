"""Archives of others, taken out into an empty folder: plain files only, within limits, none outside it.

What an archive says of itself (sizes, kinds, how many) is not believed: bytes are counted as they come out.
"""

from __future__ import annotations

import contextlib
import gzip
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pipeline.support.errors import InputError, PathEscapeError
from pipeline.support.files import open_input, output_error

_CHUNK = 1 << 20
_MAX_NAME = 1024
_MAX_PART = 255
_END_RECORD = b"PK\x05\x06"
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_MAX_READ = 8 << 20
"""The most that is read at once out of a tar: headers are small, and files are read in chunks."""
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, OSError, EOFError, NotImplementedError,
    ValueError, KeyError, IndexError, OverflowError, RecursionError, UnicodeError,
)  # fmt: skip
"""Whatever the standard library raises, somewhere, for an archive that is damaged or lies about itself."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What may come out of an archive."""

    max_files: int = 100_000
    max_bytes: int = 16 << 30
    max_file_bytes: int = 2 << 30


@dataclass(frozen=True, slots=True)
class Extracted:
    """What came out."""

    files: tuple[str, ...]
    """Paths relative to the folder, with ``/``, sorted."""
    bytes: int


def extract(
    archive: Path,
    target: Path,
    *,
    limits: ArchiveLimits | None = None,
    source: str = "",
    take: Callable[[str], str | None] | None = None,
) -> Extracted:
    """Take a ``.zip``, ``.tar.gz`` or ``.tar`` out into ``target``, which must be empty.

    Args:
        archive: the file; its first bytes tell its kind.
        target: an empty folder. Where this raises, what is in it by then is not to be used.
        limits: what may come out.
        source: the archive in words, for errors.
        take: maps the name of an entry to the path it gets, or to None where it is left out; entries that
            are left out may be links.

    Raises:
        InputError: it is no such archive, is damaged or encrypted, holds links or special files, two entries
            of one name, or more than the limits allow.
        PathEscapeError: an entry would lie outside ``target``.
        OutputError: a file cannot be written.
    """
    work = _Extraction(target, limits or ArchiveLimits(), source or str(archive), take or (lambda name: name))
    with open_input(archive) as stream:
        head = stream.read(4)
        stream.seek(0)
        try:
            if head.startswith(b"PK"):
                _unzip(stream, work)
            else:
                _untar(stream, work, packed=head.startswith(b"\x1f\x8b"))
        except BROKEN as error:
            raise InputError(f"{work.source}: no usable archive ({_reason(error)})") from None
    return Extracted(tuple(sorted(work.files)), work.size)


@dataclass(slots=True)
class _Extraction:
    target: Path
    limits: ArchiveLimits
    source: str
    take: Callable[[str], str | None]
    files: list[str] = field(default_factory=list)
    size: int = 0
    _seen: dict[str, bool] = field(default_factory=dict)
    """Folded path to whether it is a folder."""

    def wanted(self, name: str) -> str | None:
        """Return the path that an entry gets; names are judged whether or not they are wanted."""
        checked = self._checked(name)
        path = self.take(checked)
        return None if path is None else self._checked(path)

    def folder(self, path: str) -> None:
        self._claim(path, is_folder=True)
        with _writing(self.target / path):
            (self.target / path).mkdir(parents=True, exist_ok=True)

    def file(self, path: str, chunks: Iterator[bytes]) -> None:
        if len(self.files) >= self.limits.max_files:
            raise InputError(f"{self.source} holds more than {self.limits.max_files:,} files")
        if not path:
            raise InputError(f"{self.source} holds a file without a name")
        self._claim(path, is_folder=False)
        out = self.target / path
        taken = 0
        with _writing(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            stream = out.open("xb")
        with stream:
            for chunk in chunks:
                taken += len(chunk)
                self.size += len(chunk)
                self._check_size(path, taken)
                with _writing(out):
                    stream.write(chunk)
        self.files.append(path)

    def refuse(self, name: str, what: str) -> None:
        raise InputError(f"{self.source}: {name[:120]!r} is {what}; only plain files are taken out")

    def _check_size(self, path: str, size: int) -> None:
        if size > self.limits.max_file_bytes:
            raise InputError(
                f"{self.source}: {path[:120]!r} is larger than {self.limits.max_file_bytes:,} bytes"
            )
        if self.size > self.limits.max_bytes:
            raise InputError(
                f"{self.source} holds more than {self.limits.max_bytes:,} bytes", hint="Is it a zip bomb?"
            )

    def _checked(self, name: str) -> str:
        parts = name.rstrip("/").split("/")
        if name.startswith(("/", "\\")) or "\\" in name or ":" in parts[0] or ".." in parts:
            raise PathEscapeError(f"{self.source}: the name {name[:120]!r} leads out of the folder")
        kept = [part for part in parts if part not in {"", "."}]
        fits = len(name) <= _MAX_NAME and all(len(part.encode("utf-8")) <= _MAX_PART for part in kept)
        if not name.isprintable() or not fits:
            raise InputError(f"{self.source}: the name {name[:120]!r} is none that is taken out")
        return "/".join(kept)

    def _claim(self, path: str, *, is_folder: bool) -> None:
        """Note a path with its parents; names that some disk takes for the same are the same."""
        folded = [unicodedata.normalize("NFC", part).casefold() for part in path.split("/")]
        for depth in range(1, len(folded)):
            if self._seen.setdefault("/".join(folded[:depth]), True) is False:
                raise InputError(f"{self.source}: {path[:120]!r} lies below what is a file")
        whole = "/".join(folded)
        if whole in self._seen and not (is_folder and self._seen[whole]):
            raise InputError(f"{self.source}: the name {path[:120]!r} stands twice")
        self._seen[whole] = is_folder


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise output_error(path, error) from error


def _unzip(stream: IO[bytes], work: _Extraction) -> None:
    _check_directory_size(stream, work)
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            name = work.wanted(info.orig_filename)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if name is None:
                continue
            if info.is_dir():
                if name:
                    work.folder(name)
                continue
            if kind not in {0, stat.S_IFREG}:
                work.refuse(info.filename, "a link" if kind == stat.S_IFLNK else "a special file")
            if info.flag_bits & 1:
                raise InputError(f"{work.source} is encrypted")
            if info.compress_type not in _METHODS:
                raise InputError(f"{work.source}: {name[:120]!r} is packed in a way that is not taken out")
            with archive.open(info) as inner:
                work.file(name, iter(lambda: inner.read(_CHUNK), b""))


def _check_directory_size(stream: IO[bytes], work: _Extraction) -> None:
    """Refuse a list of entries that is long by itself, before zipfile reads it into memory."""
    size = stream.seek(0, 2)
    stream.seek(max(size - (1 << 16) - 22, 0))
    tail = stream.read()
    stream.seek(0)
    at = tail.rfind(_END_RECORD)
    if at < 0 or len(tail) < at + 20:
        raise zipfile.BadZipFile("it has no end record")
    entries = int.from_bytes(tail[at + 10 : at + 12], "little")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    zip64 = entries == 0xFFFF or directory == 0xFFFFFFFF
    if (not zip64 and entries > work.limits.max_files) or (
        min(directory, size) > work.limits.max_files * (_MAX_NAME + 256)
    ):
        raise InputError(f"{work.source} holds more than {work.limits.max_files:,} files")


def _untar(stream: IO[bytes], work: _Extraction, *, packed: bool) -> None:
    limit = work.limits.max_bytes + work.limits.max_files * 2048 + (1 << 20)
    unpacked = gzip.GzipFile(fileobj=stream) if packed else stream
    counted = _Counted(unpacked, limit, work.source)
    with tarfile.open(fileobj=counted, mode="r:") as archive:  # type: ignore[call-overload]
        number = 0
        while (member := archive.next()) is not None:
            archive.members.clear()  # or it keeps every one in memory
            number += 1
            if number > 4 * work.limits.max_files:
                raise InputError(f"{work.source} holds more than {work.limits.max_files:,} files")
            name = work.wanted(member.name)
            if name is None:
                continue
            if member.isdir():
                if name:
                    work.folder(name)
                continue
            if not member.isreg() or member.issparse():
                work.refuse(member.name, "a link" if member.islnk() or member.issym() else "a special file")
            inner = archive.extractfile(member)
            assert inner is not None, "a regular file has bytes"
            work.file(name, iter(lambda: inner.read(_CHUNK), b""))  # noqa: B023


class _Counted:
    """A stream that is read forward only, up to a limit of bytes, and never much at once."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, limit: int, source: str) -> None:
        self._stream = stream
        self._limit = limit
        self._source = source
        self._at = 0

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence != 0 or offset < self._at:
            raise ValueError("it leads backwards")
        while self._at < offset:
            if not self.read(min(offset - self._at, _CHUNK)):
                break
        return self._at

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise ValueError("a header is too long")
        data = self._stream.read(size)
        self._at += len(data)
        if self._at > self._limit:
            raise InputError(f"{self._source} holds more than {self._limit:,} bytes", hint="Is it a bomb?")
        return data


def _reason(error: Exception) -> str:
    words = str(error) or type(error).__name__
    return "".join(letter if letter.isprintable() else " " for letter in words[:120])
