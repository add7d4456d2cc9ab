"""The pictures that a stage depends on: those of the data folder, and those elsewhere that its rows name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.lifecycle.engine import Run
from pipeline.support.errors import InputError
from pipeline.support.files import is_within
from pipeline.support.sources import SourceFinder, is_remote


def picture_inputs(run: Run, named: Mapping[Path, Iterable[str]]) -> list[Path]:
    """Return what lies in the data folder's pictures beside the cache, and every other picture that is named.

    Args:
        run: the workspace.
        named: document to the urls in it. A url that is remote, names nothing here, or may not be followed is
            passed over: the stage itself says so.
    """
    cache = run.path("image_cache")
    folder = cache.parent
    beside = sorted(path for path in folder.iterdir() if path != cache) if folder.is_dir() else []
    elsewhere = {path for document, urls in named.items() for path in _found(document, urls)}
    return beside + sorted(path for path in elsewhere if not is_within(path, folder))


def _found(document: Path, urls: Iterable[str]) -> Iterator[Path]:
    finder = SourceFinder(document)
    for url in dict.fromkeys(urls):
        if url and not is_remote(url):
            with suppress(InputError):
                path = finder.find(url, row="a row")
                if path is not None:
                    yield path
