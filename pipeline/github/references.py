"""References to data, in one line of text: a repository at a ref, or an archive with its digest.

``owner/name``, ``owner/name@ref``, ``owner/name@ref:path``; ``https://host/a.zip#sha256=<hex>``;
``owner/name@tag/a.zip#sha256=<hex>`` for a file of a release.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

from pipeline.contracts.settings import Data
from pipeline.github.addresses import web_address_fault
from pipeline.github.repository import is_ref_name, is_repository
from pipeline.support.errors import UsageError

_DIGEST = "#sha256="
_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_ENDINGS = (".tar.gz", ".tgz", ".zip", ".tar")
_FOLDER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?", re.ASCII)
_HINT = (
    "Write owner/name@ref:path, or https://host/a.zip#sha256=<64 hex digits>, or, for a file of a release, "
    "owner/name@tag/a.zip#sha256=<64 hex digits>."
)


@dataclass(frozen=True, slots=True)
class RepositoryReference:
    """A folder of a repository at a ref."""

    repository: str
    ref: str | None = None
    path: str = ""

    @property
    def text(self) -> str:
        """The reference on one line."""
        at = f"@{self.ref}" if self.ref else ""
        return f"{self.repository}{at}" + (f":{self.path}" if self.path else "")


@dataclass(frozen=True, slots=True)
class ArchiveReference:
    """An archive that anybody may download."""

    url: str
    sha256: str

    @property
    def text(self) -> str:
        """The reference on one line, without a query: it may be a signature."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")) + _DIGEST + self.sha256

    @property
    def folder(self) -> str:
        """The name of the folder that its files come to stand in."""
        return _folder(PurePosixPath(unquote(urlsplit(self.url).path)).name)


@dataclass(frozen=True, slots=True)
class AssetReference:
    """An archive that is a file of a release."""

    repository: str
    tag: str
    name: str
    sha256: str

    @property
    def text(self) -> str:
        """The reference on one line."""
        return f"{self.repository}@{self.tag}/{self.name}{_DIGEST}{self.sha256}"

    @property
    def folder(self) -> str:
        """The name of the folder that its files come to stand in."""
        return _folder(self.name)


Reference = RepositoryReference | ArchiveReference | AssetReference


def parse_reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        UsageError: it is none; the message says why, without repeating what may be a secret in it.
    """
    text = text.strip()
    if not text.isprintable():
        raise UsageError("a reference to data has a line break or a control character", hint=_HINT)
    where, mark, digest = text.partition("#")
    if not mark:
        return _repository(text)
    if not f"#{digest}".startswith(_DIGEST) or not _SHA256.fullmatch(digest.removeprefix("sha256=")):
        raise UsageError(f"{_safe(where)}: the digest behind '#' is no sha256=<64 hex digits>", hint=_HINT)
    sha256 = digest.removeprefix("sha256=").lower()
    if "://" in where:
        fault = web_address_fault(where)
        if fault:
            raise UsageError(f"{_safe(where)}: {fault}", hint=_HINT)
        made: ArchiveReference | AssetReference = ArchiveReference(where, sha256)
    else:
        made = _asset(where, sha256)
    _ = made.folder
    return made


def references_of(settings: Data) -> list[Reference]:
    """Return what ``[data]`` names.

    Raises:
        UsageError: it names something that is no reference.
    """
    found: list[Reference] = []
    if settings.repository is not None:
        found.append(repository_reference(settings.repository, settings.ref, settings.path))
    found += [parse_reference(text) for text in settings.archives]
    return checked_references(found)


def repository_reference(repository: str, ref: str | None, path: str) -> RepositoryReference:
    """Return a reference to a folder of a repository.

    Raises:
        UsageError: a part is not what it should be.
    """
    if not is_repository(repository):
        raise UsageError(f"{_safe(repository)!r} is not a repository", hint=_HINT)
    if ref is not None and not is_ref_name(ref):
        raise UsageError(f"{ref[:80]!r} is no branch, tag or commit", hint=_HINT)
    parts = [part for part in path.strip("/").split("/") if part not in {"", "."}]
    if ".." in parts or "\\" in path or not path.isprintable():
        raise UsageError(f"{path[:80]!r} is no folder of a repository", hint=_HINT)
    return RepositoryReference(repository, ref, "/".join(parts))


def checked_references(references: Sequence[Reference]) -> list[Reference]:
    """Return references that can stand beside each other: one repository, and a folder for each archive.

    Raises:
        UsageError: there are two repositories, or two archives of one name.
    """
    repositories = [item for item in references if isinstance(item, RepositoryReference)]
    if len(repositories) > 1:
        raise UsageError("data comes from one repository at most", hint="Give the others as archives.")
    folders = [item.folder.lower() for item in references if not isinstance(item, RepositoryReference)]
    twice = sorted({name for name in folders if folders.count(name) > 1})
    if twice:
        raise UsageError(f"two archives are called {', '.join(twice)}", hint="Rename one of them.")
    return list(references)


def _repository(text: str) -> RepositoryReference:
    if "://" in text:
        raise UsageError(f"{_safe(text)}: an archive needs its digest", hint=_HINT)
    name, at, rest = text.partition("@")
    if at:
        ref, _, path = rest.partition(":")
        return repository_reference(name, ref, path)
    name, _, path = text.partition(":")
    return repository_reference(name, None, path)


def _asset(where: str, sha256: str) -> AssetReference:
    repository, _, rest = where.partition("@")
    tag, _, name = rest.rpartition("/")
    if not is_repository(repository) or not is_ref_name(tag):
        raise UsageError(f"{_safe(where)!r} is no file of a release", hint=_HINT)
    return AssetReference(repository, tag, name, sha256)


def _folder(name: str) -> str:
    ending = next((ending for ending in _ENDINGS if name.lower().endswith(ending)), None)
    folder = name[: -len(ending)] if ending else ""
    if not _FOLDER.fullmatch(folder):
        raise UsageError(
            f"{name[:80]!r} is no name of an archive: letters, digits, '.', '_', '-', and one of the endings "
            + ", ".join(_ENDINGS),
            hint=_HINT,
        )
    return folder


def _safe(text: str) -> str:
    """Return what a message may show: no query and no password of a url."""
    if "://" in text:
        scheme, _, rest = text.partition("://")
        return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"[:120]
    return text[:80]
