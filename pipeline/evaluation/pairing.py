"""Which rows of two results are of the same picture, and whether the two may be compared at all."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from pipeline.contracts.comparison import Difference
from pipeline.contracts.results import BenchmarkResults, ResultRow, ResultsSummary
from pipeline.support.errors import DigestMismatchError, InputError
from pipeline.support.files import is_within, sha256_file

Pair = tuple[ResultRow, ResultRow]
_NAMED = 5
_Key = tuple[str, str, tuple[str, ...], tuple[str, ...]]


def paired_rows(baseline: Sequence[ResultRow], candidate: Sequence[ResultRow]) -> list[Pair]:
    """Pair rows whose ``name``, ``url``, ``expected_any`` and ``expected_all`` are the same, each row once.

    A name may stand twice; rows that are the same in all four are paired in their order. The order of the
    expected labels means nothing.
    """
    # Two runs on one manifest have the same rows in the same order: these need no keys, and are most of all.
    pairs = list(takewhile(_is_pair, zip(baseline, candidate, strict=False)))
    waiting: defaultdict[_Key, deque[ResultRow]] = defaultdict(deque)
    for row in baseline[len(pairs) :]:
        waiting[_key(row)].append(row)
    for row in candidate[len(pairs) :]:
        same = waiting.get(_key(row))
        if same:
            pairs.append((same.popleft(), row))
    return pairs


def differences(
    baseline: ResultsSummary, candidate: ResultsSummary, *, overlap: int
) -> Iterator[tuple[Difference, str]]:
    """Yield what keeps two results from being compared, each with the reason in words.

    What one side does not say (older results lack ``resize``) is no difference.
    """
    if overlap == 0:
        measured = f"baseline measured {baseline.manifest}, candidate {candidate.manifest}"
        yield "manifest", f"they have no picture in common ({measured})"
    if baseline.threshold != candidate.threshold:
        yield "threshold", f"thresholds differ: {baseline.threshold} and {candidate.threshold}"
    if baseline.topk != candidate.topk:
        yield "topk", f"topk differs: {baseline.topk} and {candidate.topk}"
    for field in ("resize", "filter", "reduced_decode"):
        before, after = getattr(baseline, field), getattr(candidate, field)
        if None not in (before, after) and before != after:
            yield "resize", f"the pictures were resized differently ({field}: {before} and {after})"


def check_comparable(
    baseline: BenchmarkResults, candidate: BenchmarkResults, *, overlap: int, allowed: Collection[Difference]
) -> list[str]:
    """Return the allowed differences in words, for the output to say.

    Raises:
        InputError: the results differ in something that was not allowed.
    """
    found = list(differences(baseline.summary, candidate.summary, overlap=overlap))
    refused = [(kind, words) for kind, words in found if kind not in allowed]
    if refused:
        flags = " ".join(dict.fromkeys(f"--allow-different {kind}" for kind, _ in refused))
        raise InputError(
            "the results cannot be compared:\n" + "\n".join(f"  {words}" for _, words in refused),
            hint=f"Measure both models alike, or compare anyway with: {flags}",
        )
    return [f"compared although {words}" for _, words in found]


def check_digests(
    results: BenchmarkResults, source: str, *, root: Path, allowed: Collection[Difference]
) -> list[str]:
    """Hold results to the model and labels files that they name, where these are in the workspace.

    Returns:
        What was found and allowed, in words.

    Raises:
        DigestMismatchError: a file is there and is not the one that was measured.
    """
    notes = []
    for kind in ("model", "labels"):
        measured: str | None = getattr(results.summary, f"{kind}_sha256")
        path = root / getattr(results.summary, kind)
        if measured is None or not is_within(path, root) or not path.is_file():
            continue
        digest = sha256_file(path)
        if digest == measured:
            continue
        words = f"{source} was not measured on {path}, although it names that {kind} file"
        if "digest" not in allowed:
            raise DigestMismatchError(
                f"{words} (SHA-256 {measured[:12]}… measured, {digest[:12]}… there)",
                hint="Measure the model again, or compare anyway with: --allow-different digest",
            )
        notes.append(f"compared although {words}")
    return notes


def other_bytes(pairs: Sequence[Pair]) -> list[str]:
    """Return a note on rows whose picture was another file when the other model was measured, or none."""
    names = [
        after.name
        for before, after in pairs
        if before.picture_sha256 != after.picture_sha256
        and before.picture_sha256 is not None
        and after.picture_sha256 is not None
    ]
    if not names:
        return []
    count = "one picture is" if len(names) == 1 else f"{len(names)} pictures are"
    listed = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return [f"{count} not the file that the baseline was measured on ({listed}): measure it again"]


def _is_pair(rows: Pair) -> bool:
    before, after = rows
    return (
        before.name == after.name
        and before.url == after.url
        and before.expected_any == after.expected_any
        and before.expected_all == after.expected_all
    )


def _key(row: ResultRow) -> _Key:
    return row.name, row.url, _in_order(row.expected_any), _in_order(row.expected_all)


def _in_order(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(labels)) if len(labels) > 1 else tuple(labels)
