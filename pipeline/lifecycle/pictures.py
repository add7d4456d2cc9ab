"""The pictures that the rows of a stage's documents name: inputs, wherever in the workspace they lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.support.errors import InputError
from pipeline.support.sources import SourceFinder, is_remote


def named_pictures(documents: Mapping[Path, Iterable[str]]) -> list[Path]:
    """Return the files that the local urls of documents mean, each once, by path.

    Args:
        documents: document to the urls in it. A url that is remote, names nothing here, or may not be
            followed is passed over: the stage itself says so.
    """
    return sorted({path for document, urls in documents.items() for path in _found(document, urls)})


def _found(document: Path, urls: Iterable[str]) -> Iterator[Path]:
    finder = SourceFinder(document)
    for url in dict.fromkeys(urls):
        if url and not is_remote(url):
            with suppress(InputError):
                path = finder.find(url, row="a row")
                if path is not None:
                    yield path
