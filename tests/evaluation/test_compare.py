from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.contracts.comparison import COMPARED_FIELDS, Comparison
from pipeline.contracts.results import BenchmarkResults
from pipeline.evaluation.compare import compare_results
from pipeline.support.documents import json_bytes, read_json, write_json
from pipeline.support.errors import DigestMismatchError, InputError

Make = Callable[..., BenchmarkResults]
ROWS = [("a", ["Can"], ["Can"]), ("b", ["Can", "Tin"], []), ("n", [], [])]
BETTER = [("a", ["Can"], ["Can"]), ("b", ["Can", "Tin"], ["Tin"]), ("n", [], ["Foil"])]


def compare(before: BenchmarkResults | None, after: BenchmarkResults, **options: Any) -> Comparison:
    path = None if before is None else "base.json"
    return compare_results(
        before, after, baseline_path=path, candidate_path="cand.json", **{"resamples": 1000, **options}
    )


def test_the_fields_of_the_system_in_use_are_all_there(results_of: Make) -> None:
    compared = compare(results_of(ROWS), results_of(BETTER)).to_data()
    assert list(compared)[:5] == ["generated_at", "baseline", "candidate", "comparison", "overlap"]
    assert list(compared["comparison"]) == list(COMPARED_FIELDS)
    assert compared["comparison"]["any_hit_rate"] == {"baseline": 0.5, "candidate": 1.0, "delta": 0.5}
    assert compared["comparison"]["negative_clean_rate"] == {"baseline": 1.0, "candidate": 0.0, "delta": -1.0}
    assert compared["comparison"]["tp"] == {"baseline": 1, "candidate": 2, "delta": 1}
    overlap = compared["overlap"]
    assert overlap["rows"] == 3
    assert overlap["baseline_summary"] == {
        "images_evaluated": 3,
        "micro_precision": 1.0,
        "micro_recall": 0.3333,
        "any_hit_rate": 0.5,
        "negative_clean_rate": 1.0,
        "tp": 1,
        "fp": 0,
        "fn": 2,
    }
    assert overlap["comparison"]["skipped_unsupported_entries"]["delta"] is None


def test_a_rate_over_no_cases_is_null_on_both_sides(results_of: Make) -> None:
    compared = compare(results_of(ROWS[:2]), results_of(BETTER[:2]))
    figure = compared.comparison["negative_clean_rate"]
    assert (figure.baseline, figure.candidate, figure.delta) == (None, None, None)


def test_rows_are_paired_by_name_url_and_expected_labels(results_of: Make) -> None:
    after = results_of([("b", ["Tin", "Can"], []), ("a", ["Foil"], []), ("x", [], []), ("n", [], [])])
    assert compare(results_of(ROWS), after).overlap.rows == 2


def test_names_that_stand_twice_are_paired_in_order_and_each_once(results_of: Make) -> None:
    before = results_of([("a", ["Can"], ["Can"]), ("a", ["Can"], []), ("a", ["Tin"], ["Tin"])])
    after = results_of([("a", ["Tin"], ["Tin"]), ("a", ["Can"], ["Can"]), ("a", ["Can"], [])])
    compared = compare(before, after)
    assert compared.overlap.rows == 3
    assert compared.changes == []
    assert (
        compare(before, results_of([("a", ["Can"], []), ("a", ["Can"], []), ("a", ["Can"], [])])).overlap.rows
        == 2
    )


@pytest.mark.parametrize(
    ("kind", "summary", "words"),
    [
        ("threshold", {"threshold": 0.5}, "thresholds differ: 0.35 and 0.5"),
        ("topk", {"topk": 3}, "topk differs: 5 and 3"),
        ("resize", {"resize": "letterbox"}, "resized differently"),
        ("resize", {"filter": "pillow-bilinear"}, "resized differently"),
        ("resize", {"reduced_decode": True}, "resized differently"),
    ],
)
def test_what_differs_is_refused_unless_allowed_and_then_said(
    results_of: Make, kind: Any, summary: dict[str, Any], words: str
) -> None:
    alike = {"resize": "stretch", "filter": "opencv-linear", "reduced_decode": False}
    before, after = results_of(ROWS, **alike), results_of(ROWS, **{**alike, **summary})
    with pytest.raises(InputError, match=words) as caught:
        compare(before, after)
    assert f"--allow-different {kind}" in str(caught.value.hint)
    compared = compare(before, after, allowed=[kind])
    assert words in compared.notes[0]
    assert compared.allowed_differences == [kind]


def test_an_older_file_that_does_not_name_its_resize_rule_is_compared(results_of: Make) -> None:
    assert compare(results_of(ROWS), results_of(ROWS, resize="letterbox")).notes == []


def test_a_picture_that_was_another_file_for_the_other_model_is_noted(results_of: Make) -> None:
    before, after = results_of(ROWS), results_of(ROWS)
    for row in (*before.results, *after.results):
        row.picture_sha256 = "0" * 64
    assert compare(before, after).notes == []
    after.results[1].picture_sha256 = "1" * 64
    after.results[2].picture_sha256 = None  # an older file does not say
    [note] = compare(before, after).notes
    assert note == "one picture is not the file that the baseline was measured on (b): measure it again"


def test_no_picture_in_common_is_refused_unless_allowed(results_of: Make) -> None:
    before, after = results_of(ROWS, manifest="one.json"), results_of([("z", [], [])], manifest="two.json")
    with pytest.raises(InputError, match=r"no picture in common .*one.json.*two.json"):
        compare(before, after)
    compared = compare(before, after, allowed=["manifest"])
    assert compared.overlap.rows == 0
    assert compared.statistics is None


def test_results_of_another_file_than_the_one_that_is_there_are_refused(
    results_of: Make, tmp_path: Path
) -> None:
    (tmp_path / "m.tflite").write_bytes(b"model")
    digest = hashlib.sha256(b"model").hexdigest()
    good, bad = results_of(ROWS, model_sha256=digest), results_of(ROWS, model_sha256="0" * 64)
    assert compare(good, good, root=tmp_path).notes == []
    with pytest.raises(DigestMismatchError, match=r"base.json was not measured on .*m.tflite"):
        compare(bad, good, root=tmp_path)
    assert "compared although cand.json" in compare(good, bad, root=tmp_path, allowed=["digest"]).notes[0]
    (tmp_path / "m.tflite").unlink()
    assert compare(bad, good, root=tmp_path).notes == []


def test_without_a_baseline_there_are_figures_and_no_verdict(results_of: Make) -> None:
    compared = compare(None, results_of(ROWS))
    assert compared.baseline is None
    assert compared.comparison["any_hit_rate"].candidate == 0.5
    assert compared.comparison["any_hit_rate"].delta is None
    assert compared.statistics is None


def test_the_same_seed_gives_the_same_bytes(results_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, second = (json_bytes(compare(results_of(ROWS), results_of(BETTER), seed=3)) for _ in range(2))
    assert first == second
    assert first != json_bytes(compare(results_of(ROWS), results_of(BETTER), seed=4))


def test_a_comparison_is_read_back_as_it_was_written(results_of: Make, tmp_path: Path) -> None:
    compared = compare(results_of(ROWS), results_of(BETTER))
    write_json(tmp_path / "c.json", compared)
    read = read_json(tmp_path / "c.json", Comparison)
    assert json_bytes(read) == (tmp_path / "c.json").read_bytes()


def test_the_command_writes_comparison_and_markdown(
    repath: Callable[..., Any], results_of: Make, tmp_path: Path
) -> None:
    write_json(tmp_path / "b.json", results_of(ROWS))
    write_json(tmp_path / "c.json", results_of(BETTER))
    files = (
        "--baseline",
        tmp_path / "b.json",
        "--candidate",
        tmp_path / "c.json",
        "--out",
        tmp_path / "o.json",
    )
    ran = repath("evaluation", "compare-benchmark-results", *files, "--markdown", tmp_path / "o.md")
    assert ran.code == 0, ran.err
    assert ran.json["overlap_rows"] == 3
    assert ran.json["changed_pictures"] == 2
    written = json.loads((tmp_path / "o.json").read_text())
    assert written["statistics"]["verdict"] == ran.json["verdict"] == "cannot tell"
    assert written["gate"] == {"passed": True, "reasons": written["gate"]["reasons"]}
    assert (tmp_path / "o.md").read_text().startswith("## ")


def test_the_command_ends_with_3_where_the_gate_says_no(
    repath: Callable[..., Any], results_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repath.toml").write_text("[gate]\nmin.any_hit_rate = 0.9\n")
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "c.json", results_of(ROWS))
    arguments = (
        "evaluation",
        "compare-benchmark-results",
        "--candidate",
        "c.json",
        "--out",
        "o.json",
        "--no-baseline",
    )
    assert repath(*arguments).code == 0
    ran = repath(*arguments, "--gate")
    assert ran.code == 3
    assert "any-hit rate is 0.5, below the floor 0.9" in ran.err
    assert json.loads((tmp_path / "o.json").read_text())["gate"]["passed"] is False


def test_the_command_without_a_baseline_file_says_how_to_go_on(
    repath: Callable[..., Any], results_of: Make, tmp_path: Path
) -> None:
    write_json(tmp_path / "c.json", results_of(ROWS))
    ran = repath(
        "evaluation", "compare-benchmark-results", "--candidate", tmp_path / "c.json", "--out", "o.json"
    )
    assert ran.code == 2
    assert "--no-baseline" in ran.err
    ran = repath(
        "evaluation",
        "compare-benchmark-results",
        "--baseline",
        "none.json",
        "--candidate",
        tmp_path / "c.json",
        "--out",
        "o.json",
    )
    assert ran.code == 1
    assert "none.json does not exist" in ran.err
    assert not Path("o.json").exists()
