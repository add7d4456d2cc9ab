"""Pictures of the benchmark that training has seen: by bytes, by source, and by look."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pipeline.contracts.leakage import (
    HashMethod,
    Leak,
    LeakageReport,
    LeakageSummary,
    LeakKind,
    Side,
    Thumbnails,
    Unchecked,
)
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.results import BenchmarkResults
from pipeline.evaluation.compared_pictures import Picture, benchmark_pictures, bundle_pictures, hashed
from pipeline.support import phash
from pipeline.support.documents import read_json
from pipeline.support.errors import DigestMismatchError, GateError
from pipeline.support.files import display_path, sha256_file
from pipeline.support.images import decode_small, read_image_bytes
from pipeline.support.near_pairs import near_pairs

THUMBNAIL_SIDE = 128
LISTED = 20
"""Leaks of one row that a report lists: the surest and nearest ones. The summary counts all."""

_NAMED = 5
_ORDER: tuple[LeakKind, ...] = get_args(LeakKind)
_NOT_FOUND = ("generated_at", "manifest", "bundle", "digest")


@dataclass(slots=True)
class _Match:
    kinds: set[LeakKind]
    distance: int | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """Hashes that are compared, ``…_each`` of them for a picture, and how much nearer they must be."""

    kind: LeakKind
    mine: list[int]
    theirs: list[int]
    closer: int = 0
    mine_each: int = 1
    theirs_each: int = 1


def check_leakage(
    manifest: Path,
    bundle: Path,
    *,
    generated_at: str,
    base: Path,
    root: Path | None = None,
    max_distance: int = phash.MAX_DISTANCE,
    thumbnails: bool = False,
) -> LeakageReport:
    """Compare the pictures of a benchmark manifest with those that a bundle trains and validates on.

    A bundle's ``test`` subset is held back from training and does not count. A picture that is not on this
    disk, cannot be decoded, or is too plain to be told by its look is compared by what is left and listed.

    Args:
        manifest: the benchmark manifest, best a resolved one: its pictures lie on this disk.
        bundle: folder of the annotation bundle.
        generated_at: ISO 8601 UTC.
        base: what recorded paths are relative to.
        root: folder that the manifest's relative urls are tried under first.
        max_distance: bits in which the hashes of one picture may differ.
        thumbnails: put both pictures of each leak into the report.

    Raises:
        InputError: the manifest or the bundle's template is missing.
        ContractError: one of them breaks its contract.
        PathEscapeError: a path in them leaves the workspace or the bundle.
    """
    rows = read_json(manifest, BenchmarkManifest)
    benchmark = hashed(benchmark_pictures(rows, manifest, root=root), what="Hashing the benchmark")
    every = bundle_pictures(bundle)
    training = hashed([each for each in every if each.subset != "test"], what="Hashing training pictures")
    leaks, counted = _leaks(benchmark, training, max_distance)
    if thumbnails:
        leaks = _with_thumbnails(leaks, benchmark, training)
    unchecked = [*_unchecked("benchmark", benchmark), *_unchecked("training", training)]
    report = LeakageReport(
        generated_at=generated_at,
        manifest=display_path(manifest, base),
        manifest_sha256=sha256_file(manifest),
        bundle=display_path(bundle, base),
        hash=HashMethod(
            kind=phash.KIND,
            bits=phash.BITS,
            max_distance=max_distance,
            max_distance_cropped=max_distance - phash.TRIMMED_CLOSER,
        ),
        summary=LeakageSummary(
            benchmark_pictures=len(benchmark),
            training_pictures=len(training),
            held_back_pictures=len(every) - len(training),
            leaked_pictures=len({leak.manifest_row for leak in leaks}),
            pairs=counted.total(),
            by_kind={kind: counted[kind] for kind in _ORDER},
            unchecked_benchmark=sum(each.side == "benchmark" for each in unchecked),
            unchecked_training=sum(each.side == "training" for each in unchecked),
        ),
        digest="0" * 64,
        leaks=leaks,
        unchecked=unchecked,
    )
    return report.replace(digest=leakage_digest(report))


def leakage_digest(report: LeakageReport) -> str:
    """Return the SHA-256 that names what a report found.

    Two checks of the same manifest against the same pictures have one digest, whenever they ran, wherever the
    files lay, and with or without thumbnails.
    """
    data = {key: value for key, value in report.to_data().items() if key not in _NOT_FOUND}
    data["leaks"] = [{**leak, "thumbnails": None} for leak in data["leaks"]]
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def leakage_in_words(report: LeakageReport) -> str:
    """Return one sentence on what was found, with the surest leaks by name."""
    found = report.summary
    if not found.leaked_pictures:
        return f"none of {found.benchmark_pictures} benchmark pictures was seen in training"
    rows: dict[int, Leak] = {}
    for leak in sorted(report.leaks, key=lambda leak: _ORDER.index(leak.kinds[0])):
        rows.setdefault(leak.manifest_row, leak)
    named = [f"{leak.name} is {leak.sample} ({leak.kinds[0]})" for leak in list(rows.values())[:_NAMED]]
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return (
        f"{found.leaked_pictures} of {found.benchmark_pictures} benchmark pictures were seen in training: "
        f"{', '.join(named)}{more}"
    )


def require_no_leakage(report: LeakageReport) -> None:
    """Hold a benchmark to pictures that training has not seen.

    Raises:
        GateError: there are leaks.
    """
    if report.summary.leaked_pictures:
        raise GateError(
            leakage_in_words(report),
            hint="Take them out of the manifest or out of training; --allow-leakage goes on all the same.",
        )


def with_leakage(results: BenchmarkResults, report: LeakageReport) -> BenchmarkResults:
    """Return results that carry the digest of the leakage report made of their manifest.

    Raises:
        DigestMismatchError: the report is of another manifest.
    """
    summary = results.summary
    if report.manifest_sha256 != summary.manifest_sha256:
        raise DigestMismatchError(
            f"the leakage report of {report.manifest} is not of the manifest that was measured",
            hint="Run: repath evaluation check-leakage",
        )
    return results.replace(summary=summary.replace(leakage_digest=report.digest))


def _leaks(
    benchmark: Sequence[Picture], training: Sequence[Picture], max_distance: int
) -> tuple[list[Leak], Counter[LeakKind]]:
    """Return the leaks that are listed, by row, and how many pairs there are by their surest kind."""
    matches: dict[int, dict[int, _Match]] = defaultdict(dict)
    _match_bytes(benchmark, training, matches)
    _match_sources(benchmark, training, matches)
    _match_looks(benchmark, training, matches, max_distance)
    counted: Counter[LeakKind] = Counter()
    leaks = []
    for index in sorted(matches):
        found = [_leak(benchmark[index], training[other], match) for other, match in matches[index].items()]
        found.sort(key=lambda leak: (_ORDER.index(leak.kinds[0]), leak.distance or 0, leak.sample))
        counted.update(leak.kinds[0] for leak in found)
        leaks += found[:LISTED]
    return leaks, counted


def _match_bytes(
    benchmark: Sequence[Picture], training: Sequence[Picture], matches: dict[int, dict[int, _Match]]
) -> None:
    by_digest: dict[str, list[int]] = defaultdict(list)
    for other, picture in enumerate(training):
        if picture.sha256:
            by_digest[picture.sha256].append(other)
    for index, picture in enumerate(benchmark):
        for other in by_digest.get(picture.sha256 or "", []):
            matches[index][other] = _Match({"bytes"})


def _match_sources(
    benchmark: Sequence[Picture], training: Sequence[Picture], matches: dict[int, dict[int, _Match]]
) -> None:
    by_source: dict[str, set[int]] = defaultdict(set)
    for other, picture in enumerate(training):
        for key in picture.sources:
            by_source[key].add(other)
    for index, picture in enumerate(benchmark):
        for key in picture.sources:
            for other in by_source.get(key, ()):
                # Two workspaces may have the same path for different pictures: where both files are here,
                # their bytes tell better than their names.
                if key.startswith("path:") and picture.sha256 and training[other].sha256:
                    continue
                matches[index].setdefault(other, _Match(set())).kinds.add("source")


def _match_looks(
    benchmark: Sequence[Picture],
    training: Sequence[Picture],
    matches: dict[int, dict[int, _Match]],
    max_distance: int,
) -> None:
    mine = [index for index, picture in enumerate(benchmark) if picture.bits is not None]
    theirs = [index for index, picture in enumerate(training) if picture.bits is not None]
    for look in _looks([benchmark[index] for index in mine], [training[index] for index in theirs]):
        limit = max_distance - look.closer
        if limit < 0:
            continue
        pairs = near_pairs(look.mine, look.theirs, max_distance=limit)
        for a, b, bits in zip(pairs.a.tolist(), pairs.b.tolist(), pairs.distance.tolist(), strict=True):
            index, other = mine[a // look.mine_each], theirs[b // look.theirs_each]
            match = matches[index].setdefault(other, _Match(set()))
            # A whole copy is near its trimmed self as well: that is no news.
            if look.kind != "cropped look" or not match.kinds & {"bytes", "look"}:
                match.kinds.add(look.kind)
            match.distance = bits if match.distance is None else min(bits, match.distance)


def _looks(mine: Sequence[Picture], theirs: Sequence[Picture]) -> Iterator[_Look]:
    """Yield what is compared with what: whole with whole, then either side trimmed, each also in a mirror."""
    my_whole, my_trims = [each.bits or 0 for each in mine], [bits for each in mine for bits in each.trims]
    whole, trims = [each.bits or 0 for each in theirs], [bits for each in theirs for bits in each.trims]
    count = len(my_trims) // max(len(mine), 1) or 1
    closer = phash.TRIMMED_CLOSER
    whole_m, trims_m = [phash.mirrored(bits) for bits in whole], [phash.mirrored(bits) for bits in trims]
    yield _Look("look", my_whole, whole)
    yield _Look("cropped look", my_whole, trims, closer, theirs_each=count)
    yield _Look("cropped look", my_trims, whole, closer, mine_each=count)
    yield _Look("mirrored look", my_whole, whole_m)
    yield _Look("mirrored look", my_whole, trims_m, closer, theirs_each=count)
    yield _Look("mirrored look", my_trims, whole_m, closer, mine_each=count)


def _leak(picture: Picture, sample: Picture, match: _Match) -> Leak:
    distance = match.distance
    if distance is None and picture.bits is not None and sample.bits is not None:
        distance = phash.distance(picture.bits, sample.bits)
    return Leak(
        name=picture.name,
        manifest_row=picture.row,
        url=picture.url,
        sample=sample.name,
        image_file=sample.url,
        subset="val" if sample.subset == "val" else "train",
        kinds=[kind for kind in _ORDER if kind in match.kinds],
        distance=distance,
    )


def _unchecked(side: Side, pictures: Sequence[Picture]) -> list[Unchecked]:
    return [
        Unchecked(side=side, name=picture.name, row=picture.row, reason=picture.problem)
        for picture in pictures
        if picture.problem
    ]


def _with_thumbnails(
    leaks: Sequence[Leak], benchmark: Sequence[Picture], training: Sequence[Picture]
) -> list[Leak]:
    mine = {picture.row: picture for picture in benchmark}
    theirs = {picture.name: picture for picture in training}
    made: dict[Path, str] = {}
    return [
        leak.replace(
            thumbnails=Thumbnails(
                benchmark=_thumbnail(mine[leak.manifest_row], made),
                training=_thumbnail(theirs[leak.sample], made),
            )
        )
        for leak in leaks
    ]


def _thumbnail(picture: Picture, made: dict[Path, str]) -> str | None:
    if picture.path is None or not picture.is_whole:
        return None
    if picture.path not in made:
        data = read_image_bytes(picture.path)
        image = decode_small(data, source=str(picture.path), side=THUMBNAIL_SIDE, mode="RGB")
        image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=75)
        made[picture.path] = base64.b64encode(buffer.getvalue()).decode("ascii")
    return made[picture.path]
