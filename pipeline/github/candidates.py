"""A candidate as a pre-release ``candidate-<run-id>``, and ``candidate.json``, the pointer to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.base import parse
from pipeline.contracts.comparison import Comparison
from pipeline.contracts.pointer import CandidatePointer, tag_of
from pipeline.contracts.results import BenchmarkResults
from pipeline.evaluation.markdown import escaped
from pipeline.evaluation.verdict import sentence_of
from pipeline.release.host import ReleaseFile
from pipeline.release.provenance import check_comparison, check_results
from pipeline.release.publication import Publication, checked_files, file_to_publish
from pipeline.support.candidates import METADATA, Candidate, open_candidate
from pipeline.support.clock import timestamp
from pipeline.support.documents import read_json
from pipeline.support.errors import InputError, ReleaseError
from pipeline.support.files import sha256_file

RESULTS = "benchmark-results.json"
COMPARISON = "benchmark-comparison.json"
POINTER = "candidate.json"
"""The file at the top of a repository that a candidate's pull request changes."""
NO_BASELINE = "There is no baseline to compare with."


@dataclass(frozen=True, slots=True)
class StoredCandidate:
    """What is to be stored, and the pointer to it."""

    publication: Publication
    pointer: CandidatePointer


def candidate_to_store(
    directory: Path,
    *,
    results: Path,
    comparison: Path | None = None,
    attachments: Sequence[Path] = (),
    commit: str | None = None,
) -> StoredCandidate:
    """Read a candidate with what was measured of it, and return what is published of it.

    Args:
        directory: ``<candidates-root>/<run-id>``.
        results: what was measured; refused where its digests are of other files.
        comparison: the comparison with the release in use; refused where it is one of other files.
        attachments: more files, such as the report.
        commit: the commit that the tag is put on.

    Raises:
        InputError: a file cannot be read, or the folder is no candidate or holds what is no plain file.
        ContractError: a file breaks its contract.
        DigestMismatchError: results or comparison are of another model, or the metadata names other files.
        ReleaseError: a file cannot be one of a release.
    """
    candidate = open_candidate(directory)
    digests = candidate.model_artifact.sha256, candidate.labels_artifact.sha256
    check_results(read_json(results, BenchmarkResults), str(results), *digests)
    compared = read_json(comparison, Comparison) if comparison is not None else None
    if compared is not None:
        check_comparison(compared, str(comparison), *digests)
    own = [file_to_publish(path) for path in _plain_files(directory)]
    measured = file_to_publish(results, RESULTS)
    judged = file_to_publish(comparison, COMPARISON) if comparison is not None else None
    attached = [file_to_publish(path) for path in attachments]
    files = [*own, measured, *([judged] if judged else []), *attached]
    pointer = _pointer(candidate, own, measured, judged, compared)
    publication = Publication(
        tag=pointer.tag,
        name=f"Candidate {pointer.run_id}",
        notes=_notes(pointer),
        prerelease=True,
        files=checked_files(files),
        commit=commit,
    )
    return StoredCandidate(publication, pointer)


def read_pointer(path: Path, *, repository: str) -> CandidatePointer:
    """Read ``candidate.json``, for use in one repository.

    Raises:
        InputError: it cannot be read.
        ContractError: it breaks its contract, such as by another tag than its run's.
        ReleaseError: it names another repository.
    """
    pointer = read_json(path, CandidatePointer)
    named = pointer.repository
    if named is not None and named.lower() != repository.lower():
        raise ReleaseError(
            f"{path} points to a candidate of {named[:120]!r}, and this is {repository}",
            hint="A candidate is taken from the repository itself alone.",
        )
    return pointer


def held_to(pointer: CandidatePointer, directory: Path) -> list[str]:
    """Return in what a folder is not the candidate of the pointer, in words; links are not followed."""
    wanted = {item.filename: item for item in pointer.candidate_files()}
    there = {path.name for path in directory.iterdir()}
    faults = [f"{name} is not of it" for name in sorted(there - wanted.keys())]
    for name, item in sorted(wanted.items()):
        path = directory / name
        if path.is_symlink() or not path.is_file():
            faults.append(f"{name} is missing or no plain file")
        elif (path.stat().st_size, sha256_file(path)) != (item.bytes, item.sha256):
            faults.append(f"{name} has other bytes")
    return faults


def _plain_files(directory: Path) -> list[Path]:
    found = sorted(directory.iterdir())
    for path in found:
        if path.is_symlink() or not path.is_file():
            raise InputError(
                f"{path} is a link, a folder or a special file; a candidate holds plain files",
                hint="Remove it, or store it with --attach as an archive.",
            )
    return found


def _pointer(
    candidate: Candidate,
    own: Sequence[ReleaseFile],
    measured: ReleaseFile,
    judged: ReleaseFile | None,
    compared: Comparison | None,
) -> CandidatePointer:
    parts = {candidate.model.name: "model", candidate.labels.name: "labels"}
    named = {parts[file.name]: _pointed(file) for file in own if file.name in parts}
    run_id = candidate.metadata.run_id
    data = {
        "run_id": run_id,
        "tag": tag_of(run_id),
        "generated_at": candidate.metadata.generated_at or timestamp(),
        **{part: named[part] for part in ("model", "labels")},
        "results": _pointed(measured),
        "comparison": _pointed(judged) if judged else None,
        "files": [_pointed(file) for file in own if file.name not in parts],
        "verdict": _verdict(compared),
    }
    return parse(CandidatePointer, data, source=f"{candidate.directory / METADATA}")


def _pointed(file: ReleaseFile) -> dict[str, object]:
    return {"filename": file.name, "sha256": file.sha256, "bytes": file.bytes}


def _verdict(comparison: Comparison | None) -> dict[str, object] | None:
    if comparison is None:
        return None
    judged = comparison.statistics
    return {
        "verdict": judged.verdict if judged else None,
        # Made anew from the figures: what a file says in words is not passed on.
        "sentence": sentence_of(judged.verdict, judged.figures) if judged else NO_BASELINE,
        "gate_passed": comparison.gate.passed if comparison.gate else None,
    }


def _notes(pointer: CandidatePointer) -> str:
    lines = [f"Candidate of the training run `{pointer.run_id}`. It is no release: the app does not take it."]
    if pointer.verdict is not None:
        lines += ["", escaped(pointer.verdict.sentence, limit=2000)]
    lines += ["", "| file | SHA-256 |", "| --- | --- |"]
    lines += [f"| {escaped(item.filename)} | `{item.sha256}` |" for item in pointer.all_files()]
    return "\n".join(lines)
