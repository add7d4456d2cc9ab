"""The release bundle: what the app downloads, and what it holds it to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.contracts.base import Contract, Line, Name, Sha256

SEMVER = re.compile(
    r"(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)"
    r"(?:-(?P<prerelease>(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+(?P<build>[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)
"""Source: the regular expression that https://semver.org suggests, matched whole."""


def _bare_filename(text: str) -> str:
    if text in {".", ".."} or not re.fullmatch(r"[A-Za-z0-9._+-]+", text):
        raise ValueError("is not a plain file name (letters, digits, '.', '_', '+', '-')")
    return text


Filename = Annotated[str, AfterValidator(_bare_filename)]


MODEL_TYPE = "application/octet-stream"
LABELS_TYPE = "application/json"
SUMS_NAME = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class ReleaseNames:
    """The names that the app looks for: ``yolo-repath-vX.Y.Z.tflite`` and its three companions."""

    prefix: str
    version: str
    """Semver without the leading ``v``."""

    @property
    def tag(self) -> str:
        """Name of the git tag, of the release and of the bundle's folder."""
        return f"v{self.version}"

    @property
    def model(self) -> str:
        """Name of the model file."""
        return f"{self.prefix}-{self.tag}.tflite"

    @property
    def labels(self) -> str:
        """Name of the labels file."""
        return f"{self.prefix}-{self.tag}.labels.json"

    @property
    def manifest(self) -> str:
        """Name of the manifest."""
        return f"release-manifest-{self.tag}.json"


class ReleaseArtifact(Contract):
    """One file of a release."""

    filename: Filename
    sha256: Sha256
    bytes: int = Field(ge=0)
    content_type: Line


class ReleaseSource(Contract):
    """The files that a release was made from."""

    model: Line
    labels: Line
    run_id: Line | None


class ReleaseManifest(Contract):
    """``release-manifest-vX.Y.Z.json``: what a release holds; the app refuses a file with another SHA-256."""

    name: Name
    version: Name
    tag: Name
    generated_at: Line
    source: ReleaseSource
    artifacts: list[ReleaseArtifact]
    notes: str | None

    def artifact(self, filename: str) -> ReleaseArtifact | None:
        """Return the artifact of this name, or None."""
        return next((item for item in self.artifacts if item.filename == filename), None)
