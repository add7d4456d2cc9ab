"""Bad input through the command line: one clear error that names the place, and outputs as they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bad_input import (
    BENCHMARK,
    BUILD_BUNDLE,
    BUILD_QUEUE,
    BUILD_RELEASE,
    BUNDLE,
    COMPARE,
    HOLDOUT,
    KAGGLE,
    LABELED,
    MANIFEST,
    MERGE_QUEUE,
    PACK,
    PRIORITY,
    PROMOTE,
    QUEUE,
    RELEASE_MANIFEST,
    RESOLVE,
    RESOLVED,
    RETRAINING,
    SEED,
    SYNC_LABELED,
    TAXONOMY,
    TRAIN,
    VALIDATE,
    VERIFY,
    Repath,
    put_back,
    refused,
)

JSON_READERS = [
    (PACK, "data build-taxonomy"),
    (TAXONOMY, "evaluation build-benchmark-manifest"),
    (TAXONOMY, "evaluation check-benchmark-coverage"),
    (TAXONOMY, f"training build-retraining-manifest --taxonomy {TAXONOMY}"),
    (TAXONOMY, f"{BUILD_BUNDLE} --taxonomy {TAXONOMY}"),
    (TAXONOMY, f"data suggest-benchmark-online --taxonomy {TAXONOMY}"),
    (SEED, "evaluation build-benchmark-manifest"),
    (MANIFEST, "evaluation check-benchmark-coverage"),
    (MANIFEST, KAGGLE),
    (MANIFEST, RESOLVE),
    (SEED, f"{RESOLVE} --append-manifest {SEED}"),
    (MANIFEST, f"data suggest-benchmark-online --input {MANIFEST}"),
    ("m.labels.json", HOLDOUT),
    ("holdout-overrides.json", f"{HOLDOUT} --manual-seed holdout-overrides.json"),
    (RETRAINING, HOLDOUT),
    ("folders.json", f"{KAGGLE} --folders folders.json"),
    ("folders.json", f"{HOLDOUT} --kaggle-dir classes --folders folders.json"),
    (RETRAINING, BUILD_BUNDLE),
    ("m.labels.json", f"{BUILD_BUNDLE} --labels m.labels.json"),
    (f"{BUNDLE}/classes.json", VALIDATE),
    (f"{BUNDLE}/classes.json", TRAIN),
    (RESOLVED, BENCHMARK),
    ("m.labels.json", BENCHMARK),
    ("candidates/c/metadata.json", "evaluation benchmark-candidate-model --candidate-dir candidates/c"),
    (
        "candidates/c/yolo-repath.labels.json",
        "evaluation benchmark-candidate-model --candidate-dir candidates/c",
    ),
    ("results.json", COMPARE),
    ("candidates/c/metadata.json", PROMOTE),
    ("candidates/c/yolo-repath.labels.json", PROMOTE),
    ("results.json", f"{PROMOTE} --results results.json"),
    ("results.json", "training promote-candidate-model --from-analysis results.json"),
    ("m.labels.json", BUILD_RELEASE),
    ("results.json", f"{BUILD_RELEASE} --results results.json"),
    (RELEASE_MANIFEST, VERIFY),
    ("results.json", "evaluation merge-benchmark-results results.json"),
    ("results.json", "evaluation analyze-benchmark-results --input results.json"),
    (RESOLVED, f"evaluation audit-benchmark-dataset --manifest {RESOLVED} --out audit.json"),
    (RESOLVED, f"evaluation check-leakage --bundle {BUNDLE} --out leakage.json"),
    (TAXONOMY, "evaluation plan-benchmark-priority"),
    (MANIFEST, "evaluation plan-benchmark-priority"),
    (TAXONOMY, "evaluation plan-benchmark-coverage-expansion"),
    (MANIFEST, "evaluation plan-benchmark-coverage-expansion"),
    (MANIFEST, "evaluation sync-benchmark-progress"),
    (MANIFEST, "evaluation dedupe-benchmark-manifest"),
    (MANIFEST, "evaluation seed-negative-benchmark-entries"),
    (MANIFEST, "evaluation seed-benchmark-depth-variants"),
    (MANIFEST, SYNC_LABELED),
    (MANIFEST, "data suggest-negative-online"),
    (TAXONOMY, f"data suggest-benchmark-online-bulk --taxonomy {TAXONOMY}"),
]
"""A JSON file, and each command that reads it."""

CSV_READERS = [
    (LABELED, "data normalize-benchmark-labeled-urls"),
    (LABELED, "data dedupe-benchmark-labeled"),
    (LABELED, "data suggest-benchmark-online"),
    (LABELED, KAGGLE),
    (LABELED, "training build-retraining-manifest"),
    (LABELED, RESOLVE),
    (LABELED, HOLDOUT),
    (f"{BUNDLE}/annotations-template.csv", VALIDATE),
    (f"{BUNDLE}/annotations-template.csv", TRAIN),
    (PRIORITY, BUILD_QUEUE),
    (QUEUE, BUILD_QUEUE),
    (LABELED, f"{BUILD_QUEUE} --labeled {LABELED}"),
    (QUEUE, MERGE_QUEUE),
    (LABELED, MERGE_QUEUE),
    (LABELED, "data fill-retraining-negatives"),
    (LABELED, SYNC_LABELED),
    (LABELED, "data suggest-benchmark-online-bulk"),
    (LABELED, f"data suggest-negative-online --input {LABELED}"),
    (LABELED, "evaluation sync-benchmark-progress"),
    (LABELED, "evaluation export-unresolved-benchmark-rows"),
]

MAKE = {(LABELED, KAGGLE), (QUEUE, BUILD_QUEUE), (LABELED, MERGE_QUEUE), (LABELED, SYNC_LABELED)}
"""Files that a command makes where there is none."""


def _missing(path: Path) -> str:
    path.unlink()
    return "does not "


def _folder(path: Path) -> str:
    path.unlink()
    path.mkdir()
    return ""


def _empty(path: Path) -> str:
    path.write_bytes(b"")
    return ""


def _truncated(path: Path) -> str:
    data = path.read_bytes().rstrip()
    path.write_bytes(data[: max(1, len(data) - len(data) // 3)])
    return "not JSON at line"


def _not_utf8(path: Path) -> str:
    data = path.read_bytes()
    path.write_bytes(data[:1] + b"\xff\xfe" + data[1:])
    return "not UTF-8 at line 1"


def _another_shape(path: Path) -> str:
    path.write_text('{"labels": 7, "images": {"a": 1}, "classes": 3, "samples": "x"}')
    return ""


def _nested(path: Path) -> str:
    path.write_text("[" * 100_000)
    return ""


def _not_a_number(path: Path) -> str:
    path.write_text('{"summary": NaN}')
    return "NaN is not a JSON number"


JSON_DAMAGES = [_missing, _folder, _empty, _truncated, _not_utf8, _another_shape, _nested, _not_a_number]


def _without_column(path: Path) -> str:
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(line.split(",", 1)[-1] for line in lines) + "\n", "utf-8")
    return "line 1: the column"


def _row_too_long(path: Path) -> str:
    lines = path.read_text("utf-8").splitlines()
    lines[2] += ",more"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return "line 3: has "


def _row_too_short(path: Path) -> str:
    lines = path.read_text("utf-8").splitlines()
    lines[2] = lines[2].rsplit(",", 1)[0]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return "line 3: has "


def _open_quote(path: Path) -> str:
    lines = path.read_text("utf-8").splitlines()
    lines[2] = f'"{lines[2]}'
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return "line 3: a quote is opened and never closed"


def _column_twice(path: Path) -> str:
    lines = path.read_text("utf-8").splitlines()
    lines[0] += ",notes"
    path.write_text("\n".join([lines[0], *(f"{line}," for line in lines[1:])]) + "\n", "utf-8")
    return "the column 'notes' stands 2 times"


def _empty_csv(path: Path) -> str:
    path.write_bytes(b"")
    return "is missing"


def _two_lines_in_a_name(path: Path) -> str:
    lines = path.read_text("utf-8").splitlines()
    cells = lines[2].split(",")
    cells[1] = '"one\ntwo"'
    lines[2] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return "line 3 ("


CSV_DAMAGES = [
    _missing, _folder, _empty_csv, _not_utf8, _without_column, _row_too_long, _row_too_short, _open_quote,
    _column_twice, _two_lines_in_a_name,
]  # fmt: skip


@pytest.mark.parametrize("damage", JSON_DAMAGES)
@pytest.mark.parametrize(("name", "command"), JSON_READERS)
def test_bad_json_is_named_and_nothing_is_written(
    repath: Repath, one_space: Path, name: str, command: str, damage: Callable[[Path], str]
) -> None:
    path = one_space / name
    with put_back(path):
        told = damage(path)
        refused(repath, one_space, command, path.name, told, code=None if damage is _folder else 1)


@pytest.mark.parametrize("damage", CSV_DAMAGES)
@pytest.mark.parametrize(("name", "command"), CSV_READERS)
def test_a_bad_csv_is_named_with_the_row_and_nothing_is_written(
    repath: Repath, one_space: Path, name: str, command: str, damage: Callable[[Path], str]
) -> None:
    if damage is _missing and (name, command) in MAKE:
        pytest.skip("this command makes the file where there is none")
    path = one_space / name
    with put_back(path):
        told = damage(path)
        refused(repath, one_space, command, path.name, told, code=None if damage is _folder else 1)
