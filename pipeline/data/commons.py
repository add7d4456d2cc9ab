"""Pictures for rows without a url, searched for on Wikimedia Commons.

API: https://www.mediawiki.org/wiki/API:Search and https://www.mediawiki.org/wiki/API:Imageinfo.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ValidationError

from pipeline.contracts.base import shown
from pipeline.contracts.labeled import RETRAIN_NEGATIVE_PREFIX, LabeledRow, scene_of
from pipeline.contracts.text import fits_in_notes
from pipeline.data.notes import FAILED, has_failed, renewed_notes
from pipeline.support.commons_urls import file_url, normalized_file_name, source_key
from pipeline.support.errors import DownloadError
from pipeline.support.http import HttpClient
from pipeline.support.images import MAX_BYTES, MAX_PIXELS
from pipeline.support.patience import Pace

API = "https://commons.wikimedia.org/w/api.php"
SOURCE = "wikimedia_commons_search"
NEGATIVE_SOURCE = "wikimedia_commons_negative_search"

RESULTS_PER_QUERY = 20
MAX_QUERIES = 6
"""Searches for one row: its label, then what it may also be called."""
FAILURES_IN_A_ROW = 3
"""So many searches that fail one after another end a run: the network or the service is away."""
MIN_SIDE = 160
"""Pixels; what is smaller is an icon, not a photo."""

_RASTER = frozenset({"image/jpeg", "image/png", "image/webp"})
_OPERATORS = re.compile(r"[^\w\s'.,-]+|(?<!\w)[-.,']+|\b\w+:", re.UNICODE)


class _ImageInfo(BaseModel):
    mime: str = ""
    size: int = 0
    width: int = 0
    height: int = 0


class _Page(BaseModel):
    title: str
    index: int = 0
    imageinfo: list[_ImageInfo] = []


class _Query(BaseModel):
    pages: list[_Page] = []


class _Answer(BaseModel):
    query: _Query | None = None
    error: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class CommonsSearch:
    """Asks the search API for files; answers are input like any other."""

    client: HttpClient
    api: str = API
    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS
    pace: Pace = field(default_factory=Pace)
    """How long to wait between two searches."""

    def titles(self, query: str) -> list[str]:
        """Return the names of raster pictures for a query, the best first, without ``File:``.

        Raises:
            DownloadError: the API could not be asked, or its answer is none.
        """
        params: dict[str, str | int] = {
            "action": "query",
            "format": "json",
            "formatversion": 2,
            "generator": "search",
            "gsrnamespace": 6,
            "gsrlimit": RESULTS_PER_QUERY,
            "gsrsearch": f"{query} filetype:bitmap",
            "prop": "imageinfo",
            "iiprop": "url|mime|size",
        }
        self.pace.wait()
        answer = self._answer(self.client.get(self.api, params=params))
        pages = sorted(answer.query.pages, key=lambda page: page.index) if answer.query else []
        names = [normalized_file_name(page.title) for page in pages if self._usable(page)]
        return [name for name in names if name is not None and fits_in_notes(name)]

    def _answer(self, body: bytes) -> _Answer:
        try:
            answer = _Answer.model_validate(json.loads(body.decode("utf-8")))
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            what = "an answer of another shape" if isinstance(error, ValidationError) else "not JSON"
            raise DownloadError(f"{self.api}: {what}: {shown(body[:40])}") from None
        if answer.error is not None:
            info = answer.error.get("info") or answer.error.get("code") or "no reason given"
            raise DownloadError(f"{self.api}: the API refuses: {shown(info)}")
        return answer

    def _usable(self, page: _Page) -> bool:
        if not page.title.startswith("File:") or not page.imageinfo:
            return False
        info = page.imageinfo[0]
        return (
            info.mime in _RASTER
            and 0 < info.size <= self.max_bytes
            and min(info.width, info.height) >= MIN_SIDE
            and info.width * info.height <= self.max_pixels
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row: the row as it is to be merged, or why the search failed."""

    row: LabeledRow
    found: bool = False
    error: str | None = None


@dataclass(slots=True)
class OnlineSuggester:
    """Searches row by row; never one file for two rows."""

    search: CommonsSearch
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Label to what it is also called, from a taxonomy."""
    used: set[str] = field(default_factory=set)
    """Source keys of the files that rows show already."""
    failed: int = field(init=False, default=0)
    """Searches that failed one after another until now."""

    def suggest(self, rows: Sequence[LabeledRow]) -> Iterator[Outcome]:
        """Yield an outcome for each row, in order.

        A row for which nothing is found is noted as failed; one whose search could not be made is not, so
        that the next run tries it again.

        Raises:
            DownloadError: `FAILURES_IN_A_ROW` rows failed one after another.
        """
        for row in rows:
            try:
                outcome = self._one(row)
                self.failed = 0
            except DownloadError as error:
                outcome = Outcome(row, error=error.message)
                self.failed += 1
            yield outcome
            if self.failed == FAILURES_IN_A_ROW:
                raise DownloadError(
                    f"stopped: {self.failed} searches failed one after another, "
                    f"the last with: {outcome.error}",
                    hint="What was found before is written. Run the command again to go on.",
                )

    def _one(self, row: LabeledRow) -> Outcome:
        for query in queries(row, self.aliases.get(row.canonical_label, ())):
            for name in self.search.titles(query):
                url = file_url(name)
                key = source_key(url)
                if key in self.used:
                    continue
                self.used.add(key)
                notes = renewed_notes(row.notes, f"title=File:{name}; query={query}")
                return Outcome(row.replace(url=url, source=_source(row), notes=notes), found=True)
        chosen = row.search_query  # what a person chose to search for stays for the next time
        failed = f"{FAILED}=no_result"
        notes = renewed_notes(row.notes, f"query={chosen}; {failed}" if chosen else failed)
        return Outcome(row.replace(source=_source(row), notes=notes))


def queries(row: LabeledRow, aliases: Sequence[str] = ()) -> list[str]:
    """Return what to search for, the best first; empty where only a person can choose.

    A negative is searched for by its ``query=`` note or by the scene in its name
    (``todo_negative_street_scene``). A hard negative (``retrain_negative_paper-bag_v1``) is named after the
    label that the model saw wrongly: a search for it would find just what a negative must not show.
    """
    if row.is_negative:
        texts = [row.search_query or scene_of(row.name) or ""]
        if row.name.startswith(RETRAIN_NEGATIVE_PREFIX):
            texts = [row.search_query]
        return _plain(texts)
    label = row.canonical_label
    parts = re.split(r"\s*/\s*|\s+or\s+|,\s*|\s*\(", label)
    return _plain([label, *parts, *aliases])[:MAX_QUERIES]


def used_sources(rows: Sequence[LabeledRow]) -> set[str]:
    """Return the source keys of every file that rows show, also of those kept in a local copy."""
    used: set[str] = set()
    for row in rows:
        used.add(source_key(row.url))
        title = row.note("title")
        if row.url and title and (name := normalized_file_name(title)):
            used.add(source_key(file_url(name)))
        source = row.note("source_url")
        if source:
            used.add(source_key(source))
    used.discard("")
    return used


def wanting(
    rows: Sequence[LabeledRow], *, include_previous_failures: bool
) -> tuple[list[LabeledRow], list[LabeledRow], list[LabeledRow]]:
    """Return the rows to search for, those that failed before, and those left to a person."""
    wanted: list[LabeledRow] = []
    failed: list[LabeledRow] = []
    by_hand: list[LabeledRow] = []
    for row in rows:
        if row.url.strip():
            continue
        if not queries(row):
            by_hand.append(row)
        elif has_failed(row.notes) and not include_previous_failures:
            failed.append(row)
        else:
            wanted.append(row)
    return wanted, failed, by_hand


def _source(row: LabeledRow) -> str:
    return NEGATIVE_SOURCE if row.is_negative else SOURCE


def _plain(texts: Sequence[str]) -> list[str]:
    """Return words without what the search takes for an operator: quotes, ``-``, ``insource:``."""
    found: dict[str, None] = {}
    for text in texts:
        words = _OPERATORS.sub(" ", text.replace("_", " ")).split()
        plain = " ".join(words)[:200].strip()
        if re.search(r"[^\W_]", plain):
            found.setdefault(plain)
    return list({query.casefold(): query for query in reversed(found)}.values())[::-1]
