"""What a tool exported, a file, a folder or a zip: read within limits, and never unpacked onto the disk."""

from __future__ import annotations

import contextlib
import json
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.contracts.base import shown
from pipeline.support.archives import BROKEN
from pipeline.support.documents import json_value
from pipeline.support.errors import InputError
from pipeline.support.files import is_within, open_input, sha256_file

MAX_BYTES = 256 << 20
"""Bytes of one annotation file, unpacked."""
MAX_TOTAL = 1 << 30
"""Bytes of all annotation files of one import, unpacked."""
MAX_MEMBERS = 200_000
"""Files in one zip or folder, pictures included."""


@dataclass(slots=True)
class Source:
    """A tool's export. Names are relative, with ``/``; they are compared, and never used as paths."""

    path: Path
    names: list[str]
    _zip: zipfile.ZipFile | None = None
    _left: int = field(default=MAX_TOTAL)

    @property
    def sha256(self) -> str | None:
        """The digest of the file; None for a folder."""
        return None if self.path.is_dir() else sha256_file(self.path)

    def described(self, name: str) -> str:
        """Return how an error names a file of it."""
        return str(self.path) if self._zip is None and self.path.is_file() else f"{self.path}: {shown(name)}"

    def read(self, name: str, *, most: int = MAX_BYTES) -> bytes:
        """Return a file's bytes.

        Raises:
            InputError: it is larger than ``most``, all of them are more than `MAX_TOTAL`, or it is damaged,
                encrypted or missing.
        """
        most = min(most, self._left)
        data = self._from_zip(name, most) if self._zip is not None else self._from_disk(name, most)
        if len(data) > most:
            raise InputError(f"{self.described(name)}: larger than is read of an annotation file")
        self._left -= len(data)
        return data

    def text(self, name: str) -> str:
        """Return a file's text.

        Raises:
            InputError: as `read`, or it is not UTF-8.
        """
        data = self.read(name)
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise InputError(f"{self.described(name)}: not UTF-8 at line {line}") from None

    def json(self, name: str) -> Any:
        """Return a JSON file as plain data.

        Raises:
            InputError: as `text`, or it is not JSON.
        """
        return json_value(self.text(name), source=self.described(name))

    def ending(self, suffix: str) -> list[str]:
        """Return the names with an ending such as ``.json``, those nearest the top first."""
        found = [name for name in self.names if name.lower().endswith(suffix)]
        return sorted(found, key=lambda name: (name.count("/"), name))

    def _from_disk(self, name: str, most: int) -> bytes:
        path = self.path / name if self.path.is_dir() else self.path
        with open_input(path) as stream:
            return stream.read(most + 1)

    def _from_zip(self, name: str, most: int) -> bytes:
        assert self._zip is not None
        try:
            info = self._zip.getinfo(name)
            if info.flag_bits & 1:
                raise InputError(f"{self.described(name)}: encrypted", hint="Export without a password.")
            with self._zip.open(info) as stream:
                return stream.read(most + 1)
        except BROKEN as error:
            raise InputError(f"{self.described(name)}: damaged: {error}") from None


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a tool's export: a zip by its content, any other file as the annotations themselves, or a folder.

    Raises:
        InputError: it is missing, a zip that cannot be read or names a file twice, or holds too many files.
    """
    if path.is_dir():
        yield Source(path, _files_of(path))
        return
    with open_input(path) as stream:
        if stream.read(4) not in {b"PK\x03\x04", b"PK\x05\x06"}:
            yield Source(path, [path.name])
            return
        try:
            archive = zipfile.ZipFile(stream)
        except BROKEN as error:
            raise InputError(f"{path}: not a usable zip: {error}") from None
        with archive:
            yield Source(path, _names_of(path, archive), archive)


def _names_of(path: Path, archive: zipfile.ZipFile) -> list[str]:
    names = [info.filename for info in archive.infolist() if not info.is_dir() and not _is_link(info)]
    if len(names) > MAX_MEMBERS:
        raise InputError(f"{path}: more than {MAX_MEMBERS} files")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{path}: holds {shown(twice[0])} twice")
    return names


def base_name(name: str) -> str:
    """Return the last part of a path as tools write it, with either slash."""
    return PurePosixPath(name.replace("\\", "/")).name


def json_bytes(data: Any) -> bytes:
    """Return plain data as the JSON of a tool's file: UTF-8, two-space indent, final newline."""
    return json.dumps(data, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _files_of(folder: Path) -> list[str]:
    names = []
    for path in folder.rglob("*"):
        # A name that is not UTF-8 is no picture's: nothing could be written about it.
        if path.is_file() and is_within(path, folder) and _is_text(str(path)):
            names.append(path.relative_to(folder).as_posix())
            if len(names) > MAX_MEMBERS:
                raise InputError(f"{folder}: more than {MAX_MEMBERS} files")
    return sorted(names)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
