"""The retraining manifest: the pictures that the next candidate learns from."""

from __future__ import annotations

from pydantic import model_validator

from pipeline.contracts.base import Contract, Line, Name


class RetrainingSample(Contract):
    """One picture; ``label`` is null for a negative."""

    id: Name
    image: Line
    label: Name | None
    is_negative: bool
    source: Line
    notes: str

    @model_validator(mode="after")
    def _negatives_stay_negative(self) -> RetrainingSample:
        if self.is_negative == (self.label is not None):
            raise ValueError("a negative has no label, and a positive has one")
        return self


class RetrainingManifest(Contract):
    """``retraining-manifest.json``: the pictures that the next candidate learns from."""

    generated_at: Line
    source_csv: Line
    sample_count: int
    positive_count: int
    negative_count: int
    without_url: list[Line] | None = None
    """Names of rows that have no picture yet, and so are no samples."""
    samples: list[RetrainingSample]
