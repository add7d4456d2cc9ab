"""Where the picture of a row lies: a relative ``url`` means the workspace its file belongs to.

The order, first hit wins: the folder given with ``--root``; the workspace (the folder of the nearest
``repath.toml`` above the file, then above the working directory); the file's own folder; its parents, up to
the one that holds a ``.git`` or ``repath.toml``, and never the file system's root, the home folder or the
system's temporary folder. What a file names may not leave the folder it was found under.
"""

from __future__ import annotations

import contextlib
import errno
import tempfile
from collections import Counter
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from pipeline.support.errors import InputError, PathEscapeError
from pipeline.support.files import is_within

SETTINGS_FILE = "repath.toml"


def is_remote(url: str) -> bool:
    """Tell whether a url is fetched over the network."""
    if not url[:8].lower().startswith(("http://", "https://")):
        return False
    # Only brackets and letters beyond ASCII make a url that cannot be split; splitting is ten times slower.
    plain = url.isascii() and "[" not in url and "]" not in url
    return plain or urlsplit_or_none(url) is not None


def urlsplit_or_none(url: str) -> SplitResult | None:
    """Split a url, or return None where it is none that can be split (``http://[``)."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def workspace_of(path: Path) -> Path | None:
    """Return the nearest folder at or above ``path`` that holds a ``repath.toml``."""
    path = path.resolve()
    for folder in [path, *path.parents] if path.is_dir() else path.parents:
        if (folder / SETTINGS_FILE).is_file():
            return folder
    return None


class SourceFinder:
    """Finds the pictures that one document names, and counts where they were found."""

    def __init__(self, document: Path, *, root: Path | None = None) -> None:
        self.document = document
        self.roots = _roots(document, root)
        self.found: Counter[str] = Counter()
        """How many were found under which folder; ``missing`` counts the rest."""

    def find(self, url: str, *, row: str) -> Path | None:
        """Return the file that a local ``url`` means, or None where there is none.

        Args:
            url: a relative path, an absolute path or a ``file://`` url, as it stands in the document.
            row: the row in words, for the error.

        Raises:
            PathEscapeError: the path leaves the workspace by ``..``, by being absolute or by a link.
            InputError: a ``file://`` url names another host, or the path is none.
        """
        where = f"{self.document}: {row}"
        path = _as_path(url, where)
        if path.is_absolute():
            return self._absolute(path, where)
        if _climbs(path):
            raise PathEscapeError(
                f"{where}: the path {url!r} leaves the workspace by '..'",
                hint="Paths inside files are relative to the workspace and stay in it.",
            )
        for folder in self.roots:
            candidate = folder / path
            if _is_file(candidate, where):
                return self._counted(candidate, folder, where)
        self.found["missing"] += 1
        return None

    def _absolute(self, path: Path, where: str) -> Path | None:
        for folder in self.roots:
            if path.is_relative_to(folder):
                if _is_file(path, where):
                    return self._counted(path, folder, where)
                self.found["missing"] += 1
                return None
        raise PathEscapeError(
            f"{where}: the absolute path {str(path)!r} lies outside the workspace",
            hint="Give the folder that holds it with --root, or write the path relative to the workspace.",
        )

    def _counted(self, path: Path, folder: Path, where: str) -> Path:
        if not is_within(path, folder):
            raise PathEscapeError(
                f"{where}: {path} is a link that leaves {folder}",
                hint="Copy the picture into the workspace.",
            )
        self.found[str(folder)] += 1
        return path


def _as_path(url: str, where: str) -> Path:
    if url.lower().startswith("file:"):
        parts = urlsplit_or_none(url)
        if parts is None:
            raise InputError(f"{where}: {url!r} is no url", hint="Write file:///path/to/picture.jpg.")
        if parts.netloc not in {"", "localhost"}:
            raise InputError(f"{where}: {url!r} names a file on another host")
        url = unquote(parts.path)
    if "\0" in url:
        raise InputError(f"{where}: the path holds a NUL byte")
    return Path(url)


def _is_file(path: Path, where: str) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise InputError(f"{where}: {path} cannot be looked at: {error.strerror}") from None


def _climbs(path: Path) -> bool:
    depth = 0
    for part in path.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _roots(document: Path, root: Path | None) -> list[Path]:
    candidates = [root.resolve()] if root is not None else []
    candidates += [folder for folder in (workspace_of(document), workspace_of(Path.cwd())) if folder]
    never = {Path(document.resolve().anchor), Path.home().resolve()}
    with contextlib.suppress(FileNotFoundError):  # no such folder takes a file: a full disk
        never.add(Path(tempfile.gettempdir()).resolve())
    for folder in document.resolve().parents:
        if folder in never:
            break
        candidates.append(folder)
        if (folder / ".git").exists() or (folder / SETTINGS_FILE).is_file():
            break
    return list(dict.fromkeys(candidates))
