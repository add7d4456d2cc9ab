"""What `data fetch` brought: from where, at which commit, with which digest."""

from __future__ import annotations

from typing import Literal

from pipeline.contracts.base import Contract, Line, Sha256


class FetchedSource(Contract):
    """One place that data came from."""

    kind: Literal["repository", "archive", "asset"]
    reference: Line
    """As it was asked for; what may be a secret in a url (its query) is left out."""
    folder: Line
    """Where it stands, relative to this file; ``.`` for a repository."""
    files: int
    bytes: int
    repository: Line | None = None
    ref: Line | None = None
    commit: Line | None = None
    """The commit that ``ref`` was when it was fetched."""
    path: Line | None = None
    sha256: Sha256 | None = None
    """Of the archive."""


class DataRecord(Contract):
    """``.repath-data.json`` in the folder that was fetched."""

    fetched_at: Line
    sources: list[FetchedSource]
    files: int
    bytes: int
    tree_sha256: Sha256
    """Of the lines ``<sha256>  <path>`` of all files but this one, sorted by path."""
