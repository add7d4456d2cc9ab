"""A trained candidate and the model that is active in the app."""

from __future__ import annotations

from typing import Any

from pydantic import RootModel, model_validator

from pipeline.contracts.base import Contract, Line, Name, Sha256


class LabelsFile(RootModel[list[Name]]):
    """``*.labels.json``: a JSON array of labels; the index is the class id."""

    @model_validator(mode="after")
    def _no_label_twice(self) -> LabelsFile:
        if not self.root:
            raise ValueError("a labels file needs at least one label")
        if len(set(self.root)) != len(self.root):
            twice = sorted({label for label in self.root if self.root.count(label) > 1})
            raise ValueError(f"these labels stand twice: {', '.join(twice)}")
        return self


class Artifact(Contract):
    """A file of a candidate, with the digest that later steps hold it to."""

    filename: Name
    sha256: Sha256
    bytes: int


class CandidateMetadata(Contract):
    """``metadata.json`` of a candidate. ``artifacts`` names files by role (older ones by path alone)."""

    run_id: Name
    generated_at: Line | None = None
    bundle: dict[str, Any]
    training: dict[str, Any]
    export: dict[str, Any]
    artifacts: dict[str, Any]


class ActiveModel(Contract):
    """``active-model.json``: which candidate the assets folder holds, and where it came from."""

    promoted_at: Line
    run_id: Name
    candidate_dir: Line
    prefix: Line
    model_path: Line
    labels_path: Line
    model: Artifact
    labels: Artifact


class VerifiedFile(Contract):
    """A downloaded file as the app's tool records it."""

    filename: Line
    sha256: Line
    bytes: int


class ReleaseVerification(Contract):
    """What was checked when the app pulled a release."""

    enabled: bool
    manifest_required: bool
    manifest_present: bool
    verified: bool
    model: VerifiedFile | None = None
    labels: VerifiedFile | None = None


class ActiveModelRelease(Contract):
    """``active-model.release.json``: the release that the app holds."""

    pulled_at: Line
    repo: Line
    requested_version: Line
    release_tag: Line
    release_name: Line | None
    model_asset: Line
    labels_asset: Line
    model_path: Line
    labels_path: Line
    manifest_path: Line | None = None
    verification: ReleaseVerification
