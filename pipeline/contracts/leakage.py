"""The leakage report: pictures of the benchmark that training has seen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.contracts.base import Contract, Line, Name, Sha256

LeakKind = Literal["bytes", "source", "look", "cropped look", "mirrored look"]
"""Same bytes, same source, or near each other by perceptual hash: as they are, one without some of its edges,
or one in a mirror (whole or cropped)."""

Side = Literal["benchmark", "training"]


class Thumbnails(Contract):
    """Both pictures of a leak as JPEG in base64, at most 128 pixels on a side; null where one is not here."""

    benchmark: str | None
    training: str | None


class Leak(Contract):
    """A row of the manifest and a sample of the bundle that show one picture."""

    name: Name
    manifest_row: int = Field(ge=0)
    """Index of the row in the manifest: names may stand twice."""
    url: Line
    sample: Name
    """Id in the bundle."""
    image_file: Line
    subset: Literal["train", "val"]
    kinds: list[LeakKind]
    """Every way in which the two are one, the surest first."""
    distance: int | None
    """Bits of 64 in which their nearest hashes differ; null where one picture has no telling hash."""
    thumbnails: Thumbnails | None = None


class Unchecked(Contract):
    """A picture that could be compared only in part, and why."""

    side: Side
    name: Name
    row: int
    """Index in the manifest, or in the bundle's template."""
    reason: str


class HashMethod(Contract):
    """The perceptual hash, and in how many bits two of one picture may differ."""

    kind: Line
    bits: int
    max_distance: int = Field(ge=0, le=64)
    max_distance_cropped: int
    """The same where one of them is cropped; negative where cropped copies were not looked for."""


class LeakageSummary(Contract):
    """Counts. ``leaked_pictures`` are rows of the manifest with at least one leak."""

    benchmark_pictures: int
    training_pictures: int
    held_back_pictures: int
    """Of the bundle's test subset, which training does not see."""
    leaked_pictures: int
    pairs: int
    by_kind: dict[str, int]
    unchecked_benchmark: int
    unchecked_training: int


class LeakageReport(Contract):
    """Output of ``evaluation check-leakage``."""

    generated_at: Line
    manifest: Line
    manifest_sha256: Sha256
    bundle: Line
    hash: HashMethod
    summary: LeakageSummary
    digest: Sha256
    """Names what was found, whenever and wherever it was: `pipeline.evaluation.leakage.leakage_digest`."""
    leaks: list[Leak]
    unchecked: list[Unchecked]
