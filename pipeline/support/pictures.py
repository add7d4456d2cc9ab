"""Pictures brought into a folder: fetched or copied, looked at whole, and written under a safe name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.text import slug
from pipeline.support.errors import DownloadError, ImageError, InputError
from pipeline.support.files import write_bytes
from pipeline.support.http import HttpClient
from pipeline.support.images import EXTENSIONS, MAX_PIXELS, inspect_image, read_image_bytes
from pipeline.support.progress import track

WORKERS = 4
"""Pictures fetched at once: more than this Wikimedia Commons answers with 429."""

_ENDINGS = tuple(sorted({*EXTENSIONS.values(), ".jpeg", ".tiff"}))
_KEPT = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.()+-]{0,138}[A-Za-z0-9_()+-])?")
_MARK = "--"


def safe_stem(name: str) -> str:
    """Return the file name, without ending, that a name or id out of a file is stored under.

    Plain names stay as they are. Every other one (a slash, a space, a dot at an end, other alphabets, more
    than 140 characters) becomes ``<slug>--<digest>``; a name that already holds ``--`` is treated so as
    well, so that two names never share a stem.
    """
    if _KEPT.fullmatch(name) and _MARK not in name:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{slug(name, limit=60) or 'x'}{_MARK}{digest}"


def cached_picture(stem: Path) -> Path | None:
    """Return the picture that is stored under ``stem``, whatever its ending, or None.

    A link does not count: what was fetched is a file of its own.
    """
    for ending in _ENDINGS:
        path = stem.with_name(stem.name + ending)
        if path.is_file() and not path.is_symlink() and path.stat().st_size:
            return path
    return None


def cached_pictures(stems: Iterable[Path]) -> Iterator[Path | None]:
    """Yield what `cached_picture` returns for each stem.

    Each folder is listed once, in place of a look for every ending of every picture: a second in place of
    twenty for 200,000 pictures of which none is there.
    """
    listed: dict[Path, set[str]] = {}
    for stem in stems:
        folder = stem.parent
        if folder not in listed:
            listed[folder] = _names_without_ending(folder)
        yield cached_picture(stem) if stem.name in listed[folder] else None


def _names_without_ending(folder: Path) -> set[str]:
    try:
        return {path.stem for path in folder.iterdir()}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class PictureFetcher:
    """Fetches pictures over one HTTP client, whose limits hold; several threads may use it at once."""

    client: HttpClient
    max_pixels: int = MAX_PIXELS

    def fetch(self, url: str, target_stem: Path, *, refresh: bool = False) -> Path:
        """Fetch ``url`` as ``target_stem`` with the ending of the picture's real format.

        A picture that is there already is returned as it is, unless ``refresh``.

        Raises:
            DownloadError: it could not be fetched within the limits.
            ImageError: what came is no whole picture within the pixel limit.
            OutputError: it cannot be written.
        """
        if not refresh and (there := cached_picture(target_stem)):
            return there
        return _store(self.client.get(url), target_stem, source=url, max_pixels=self.max_pixels)


def copy_picture(source: Path, target_stem: Path, *, max_pixels: int = MAX_PIXELS) -> Path:
    """Copy a picture to ``target_stem`` with the ending of its real format.

    Raises:
        InputError: it is missing or may not be read.
        ImageError: it is no whole picture within the pixel limit.
        OutputError: it cannot be written.
    """
    return _store(read_image_bytes(source), target_stem, source=str(source), max_pixels=max_pixels)


def fetch_all(
    fetcher: PictureFetcher,
    wanted: Sequence[tuple[str, Path]],
    *,
    refresh: bool = False,
    what: str = "Fetching pictures",
    workers: int = WORKERS,
) -> list[Path | DownloadError | ImageError]:
    """Fetch many pictures side by side, showing progress.

    Args:
        fetcher: the fetcher; its client's limits hold for every picture.
        wanted: url and target stem of each; one that stands twice is fetched once.
        refresh: fetch also what is there already.
        what: the work in a word or two, for the progress line.
        workers: how many at once.

    Returns:
        For each of ``wanted``, in its order, the picture's path or why there is none.

    Raises:
        OutputError: a picture cannot be written; the rest is not fetched.
    """

    def one(item: tuple[str, Path]) -> Path | DownloadError | ImageError:
        try:
            return fetcher.fetch(*item, refresh=refresh)
        except (DownloadError, ImageError) as error:
            return error

    unique = list(dict.fromkeys(wanted))
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            done = list(track(pool.map(one, unique), total=len(unique), what=what))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    found = dict(zip(unique, done, strict=True))
    return [found[item] for item in wanted]


def _store(data: bytes, stem: Path, *, source: str, max_pixels: int) -> Path:
    info = inspect_image(data, source=source, max_pixels=max_pixels)
    target = stem.with_name(stem.name + info.extension)
    if target.is_symlink() or not target.is_file() or target.read_bytes() != data:
        write_bytes(target, data)
    for ending in _ENDINGS:
        if ending != info.extension:  # an earlier picture of another format would be taken for this one
            stem.with_name(stem.name + ending).unlink(missing_ok=True)
    return target
