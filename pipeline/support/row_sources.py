"""Which sources a labeled row names, in its url and in its notes: rows that share one show one picture."""

from __future__ import annotations

from pipeline.contracts.text import note_value
from pipeline.support.commons_urls import file_url, normalized_file_name, source_key


def row_sources(url: str, source: str, notes: str) -> list[str]:
    """Return the keys of a row's sources, sorted.

    A local copy has its path as a key and, where the notes tell it, what it is a copy of: ``source_url=``,
    the ``title=`` of a Commons file, or ``source_image=`` in ``folder=`` of an image set.

    Args:
        url: the row's url.
        source: its ``source`` column, such as ``wikimedia_commons_search``.
        notes: its notes, ``key=value`` joined by ``; ``.
    """
    keys = {source_key(url), source_key(note_value(notes, "source_url") or "")}
    title = note_value(notes, "title")
    name = normalized_file_name(title) if title and source.startswith("wikimedia_commons") else None
    if name:
        keys.add(source_key(file_url(name)))
    image = note_value(notes, "source_image")
    if image:
        folder = (note_value(notes, "folder") or "").strip("/")
        keys.add(f"set:{source}/{folder}/{image}".casefold())
    return sorted(keys - {""})
