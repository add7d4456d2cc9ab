"""The pictures of a bundle: found in the workspace or fetched, looked at whole, copied under safe names."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.bundle import MissingPicture
from pipeline.contracts.retraining import RetrainingSample
from pipeline.support.errors import ContractError, Fault, InputError
from pipeline.support.images import MAX_PIXELS
from pipeline.support.pictures import (
    PictureFetcher,
    cached_picture,
    cached_pictures,
    copy_picture,
    fetch_all,
    safe_stem,
)
from pipeline.support.pool import cores
from pipeline.support.progress import track
from pipeline.support.sources import SourceFinder, is_remote

REMOTE, MISSING = "remote", "missing"


@dataclass(slots=True)
class Located:
    """Where each sample's picture is to come from."""

    local: dict[str, Path] = field(default_factory=dict)
    remote: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Sample id to the reason."""
    found: Counter[str] = field(default_factory=Counter)
    """How many were found under which folder."""
    looked_in: list[Path] = field(default_factory=list)


@dataclass(slots=True)
class Gathered:
    """Sample id to its picture in the bundle, and those that could not be had."""

    pictures: dict[str, Path] = field(default_factory=dict)
    missing: list[MissingPicture] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Pictures that could not be fetched again under ``refresh``: the earlier ones stand."""


def sample_stems(samples: Sequence[RetrainingSample], *, source: str) -> dict[str, str]:
    """Return the file stem of every sample.

    Raises:
        ContractError: an id stands twice, or two differ in the case of letters alone, which is one file on
            many systems.
    """
    stems: dict[str, str] = {}
    holder: dict[str, int] = {}
    faults = []
    for index, sample in enumerate(samples):
        stem = safe_stem(sample.id)
        first = holder.setdefault(stem.casefold(), index)
        if first != index:
            problem = f"samples[{first}] ({samples[first].id}) has this id or file name already"
            faults.append(Fault(f"samples[{index}] ({sample.id}).id", problem))
        stems[sample.id] = stem
    if faults:
        raise ContractError(source, faults, hint="Every sample needs an id of its own.")
    return stems


def locate_pictures(samples: Sequence[RetrainingSample], finder: SourceFinder) -> Located:
    """Find the local pictures, and tell which are remote.

    Raises:
        PathEscapeError: a path leaves the workspace.
    """
    located = Located(looked_in=finder.roots)
    for index, sample in enumerate(samples):
        url = sample.image.strip()
        if is_remote(url):
            located.remote[sample.id] = url
        elif not url:
            located.missing[sample.id] = "no_url"
        else:
            path = finder.find(url, row=f"samples[{index}] ({sample.id}).image")
            if path is None:
                located.missing[sample.id] = "local_not_found"
            else:
                located.local[sample.id] = path
    located.found = Counter(finder.found)
    return located


def gather_pictures(
    samples: Sequence[RetrainingSample],
    located: Located,
    stems: Mapping[str, str],
    images: Path,
    cache: Path,
    *,
    fetcher: PictureFetcher | None,
    refresh: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Gathered:
    """Bring every picture into ``images``; what is there whole already is not written again.

    Args:
        samples: the samples, in order.
        located: what `locate_pictures` said of them.
        stems: sample id to file stem.
        images: the bundle's folder of pictures.
        cache: where fetched pictures are kept by the digest of their url, for this bundle and later ones.
        fetcher: None fetches nothing: what is not in the cache is missing.
        refresh: fetch again what the cache has; where that fails the cached picture is taken.
        max_pixels: a picture with more is listed as missing.

    Raises:
        OutputError: a picture cannot be written.
    """
    gathered = Gathered()
    reasons = dict(located.missing)
    origins = dict(located.local)
    for sample_id, result in _fetched(located.remote, cache, fetcher, refresh).items():
        if isinstance(result, Path):
            origins[sample_id] = result
            continue
        earlier = cached_picture(_cache_stem(cache, located.remote[sample_id]))
        if earlier is None:
            reasons[sample_id] = result
        else:
            origins[sample_id] = earlier
            gathered.kept.append(sample_id)

    def copied(sample_id: str) -> tuple[str, Path | str]:
        try:
            stem = images / stems[sample_id]
            return sample_id, copy_picture(origins[sample_id], stem, max_pixels=max_pixels)
        except InputError as error:
            return sample_id, f"unreadable: {error.message}"

    with ThreadPoolExecutor(max_workers=cores()) as pool:
        done = pool.map(copied, sorted(origins))
        for sample_id, result in track(done, total=len(origins), what="Copying pictures"):
            if isinstance(result, Path):
                gathered.pictures[sample_id] = result
            else:
                reasons[sample_id] = result
    gathered.missing = [
        MissingPicture(id=sample.id, url=sample.image, reason=reasons[sample.id])
        for sample in samples
        if sample.id in reasons
    ]
    return gathered


def _fetched(
    remote: Mapping[str, str], cache: Path, fetcher: PictureFetcher | None, refresh: bool
) -> dict[str, Path | str]:
    """Return for every remote sample its picture in the cache, or why there is none."""
    if fetcher is None:
        there = cached_pictures(_cache_stem(cache, url) for url in remote.values())
        return {key: path or "download_disabled" for key, path in zip(remote, there, strict=True)}
    wanted = [(url, _cache_stem(cache, url)) for url in remote.values()]
    results = fetch_all(fetcher, wanted, refresh=refresh)
    return {
        sample_id: result if isinstance(result, Path) else f"download_failed: {result.message}"
        for sample_id, result in zip(remote, results, strict=True)
    }


def _cache_stem(cache: Path, url: str) -> Path:
    return cache / hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:32]
