"""``candidate.json``: any text is a pointer or an error in words, and a pointer is written as it was read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.contracts.pointer import CandidatePointer
from pipeline.contracts.schemas import schema
from pipeline.support.documents import read_json
from pipeline.support.errors import InputError

RUN_ID = "20260102-030405"


def file(name: str) -> dict[str, Any]:
    return {"filename": name, "sha256": "a" * 64, "bytes": 7}


def pointer(**fields: Any) -> dict[str, Any]:
    data = {
        "run_id": RUN_ID,
        "tag": f"candidate-{RUN_ID}",
        "generated_at": "2026-01-02T03:04:05.000Z",
        "model": file("yolo-repath.tflite"),
        "labels": file("yolo-repath.labels.json"),
        "results": file("benchmark-results.json"),
        "comparison": None,
        "files": [file("metadata.json")],
        "verdict": {"verdict": "cannot tell", "sentence": "Cannot tell.", "gate_passed": None},
    }
    return {**data, **fields}


def read(folder: Path, data: Any) -> CandidatePointer:
    path = folder / "candidate.json"
    path.write_text(json.dumps(data))
    return read_json(path, CandidatePointer)


def test_it_is_written_as_it_was_read_with_fields_of_later_versions(tmp_path: Path) -> None:
    data = pointer(later={"a": 1})
    assert json.loads(read(tmp_path, data).to_json()) == data
    jsonschema.validate(data, schema("candidate"))


@pytest.mark.parametrize(
    "run_id", ["a/b", "..", ".a", "a..b", "a.", "a b", "-a", "a\n", "é", "x" * 101, "a.lock"]
)
def test_a_run_id_is_a_folder_and_a_tag(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(InputError, match="is not a run id"):
        read(tmp_path, pointer(run_id=run_id, tag=f"candidate-{run_id}"))


names = st.sampled_from(
    ["a.json", "../a", "A.JSON", "", ".hidden", "a/b", "a\x00", "metadata.json"]
) | st.text(max_size=8)
values = st.none() | st.booleans() | st.integers(-3, 1 << 33) | names | st.lists(names, max_size=2)
files = (
    st.fixed_dictionaries({"filename": names, "sha256": st.just("a" * 64) | names, "bytes": values}) | values
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.dictionaries(
        st.sampled_from(sorted(pointer())), files | st.lists(files, max_size=3) | values, max_size=4
    )
)
def test_any_fields_give_a_pointer_that_stays_in_its_folder_or_an_error(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    try:
        found = read(tmp_path, pointer(**fields))
    except InputError:
        return
    assert found.tag == f"candidate-{found.run_id}"
    for item in found.all_files():
        assert (tmp_path / item.filename).resolve().parent == tmp_path.resolve()
    assert len({item.filename.lower() for item in found.all_files()}) == len(list(found.all_files()))
