"""``candidate.json``: which candidate a pull request is about, by run, tag and digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from pipeline.contracts.base import Contract, Line, Sha256
from pipeline.contracts.comparison import Verdict

_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*"
_MAX_RUN_ID, _MAX_ASSET = 100, 200
TAG_PREFIX = "candidate-"
MAX_FILES = 64
"""Files of one candidate; a real one has five."""


def _run_id(text: str) -> str:
    # ".lock" is what git takes for itself.
    if not _is_name(text, _MAX_RUN_ID) or text.lower().endswith(".lock"):
        raise ValueError("is not a run id (letters, digits, '-', '_', single dots inside; at most 100)")
    return text


def _asset(text: str) -> str:
    if not _is_name(text, _MAX_ASSET):
        raise ValueError(
            "is not the name of a release's file (letters, digits, '-', '_', single dots inside)"
        )
    return text


def _is_name(text: str, longest: int) -> bool:
    return len(text) <= longest and re.fullmatch(_NAME, text, re.ASCII) is not None


def _schema(longest: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$", "maxLength": longest})


RunId = Annotated[str, AfterValidator(_run_id), _schema(_MAX_RUN_ID)]
"""A run id that can be a folder and, behind ``candidate-``, a tag of git."""
AssetName = Annotated[str, AfterValidator(_asset), _schema(_MAX_ASSET)]
"""A file name that GitHub takes as it is: no path, nothing hidden."""


class PointedFile(Contract):
    """A file of the candidate's pre-release, and what it is held to."""

    filename: AssetName
    sha256: Sha256
    bytes: int = Field(ge=1, lt=2 << 30)


class PointedVerdict(Contract):
    """What the comparison with the release in use said."""

    verdict: Verdict | None
    """Null where there was nothing to compare with."""
    sentence: Line
    """The verdict in words, made of the figures."""
    gate_passed: bool | None
    """Null where no gate was applied."""


class CandidatePointer(Contract):
    """``candidate.json``: the one file that a candidate's pull request changes.

    The candidate's files are those of the pre-release ``tag`` in the repository that the pointer lies in.
    """

    run_id: RunId
    tag: Line
    """``candidate-<run_id>``: of the repository that holds this file, never of another one."""
    generated_at: Line
    """When the candidate was made."""
    repository: Line | None = None
    """``owner/name`` where it is told; another repository than the one it is read in is refused."""
    model: PointedFile
    labels: PointedFile
    results: PointedFile
    """What was measured of this model and these labels."""
    comparison: PointedFile | None
    """Null where the candidate was not compared when it was stored."""
    files: list[PointedFile] = Field(max_length=MAX_FILES)
    """All else that the candidate's folder holds, such as ``metadata.json`` and the weights."""
    verdict: PointedVerdict | None

    @model_validator(mode="after")
    def _is_of_its_run(self) -> CandidatePointer:
        if self.tag != tag_of(self.run_id):
            raise ValueError(f"tag is {self.tag[:120]!r}, and that of this run is {tag_of(self.run_id)!r}")
        names = [item.filename.lower() for item in self.all_files()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"these files stand twice: {', '.join(twice)}")
        return self

    def candidate_files(self) -> list[PointedFile]:
        """Return the files of the candidate's folder."""
        return [self.model, self.labels, *self.files]

    def all_files(self) -> Iterator[PointedFile]:
        """Yield every file that the pointer names."""
        yield from (*self.candidate_files(), self.results)
        if self.comparison is not None:
            yield self.comparison


def tag_of(run_id: str) -> str:
    """Return the tag of a run's candidate."""
    return f"{TAG_PREFIX}{run_id}"
