"""What to look for next: priorities, labels with too few pictures, and rows without one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workspaces import digests

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.planning import (
    EXPANSION_COLUMNS,
    UNRESOLVED_COLUMNS,
    ExpansionPlan,
    ExpansionRow,
    PriorityPlan,
    UnresolvedRow,
)
from pipeline.contracts.taxonomy import Taxonomy, TaxonomySource, TaxonomySummary, VisionClass
from pipeline.evaluation.coverage_plan import is_as_planned
from pipeline.evaluation.priority_plan import plan_priority
from pipeline.evaluation.unresolved import is_as_exported, unresolved_rows
from pipeline.support.documents import read_csv, read_json, write_csv, write_json

Repath = Callable[..., Any]
PRIORITY, EXPANSION = "plan-benchmark-priority", "plan-benchmark-coverage-expansion"
UNRESOLVED = "export-unresolved-benchmark-rows"


def label(name: str, *outcomes: str) -> VisionClass:
    key = name.lower().replace(" ", "-")
    return VisionClass(
        item_id=key,
        canonical_label=name,
        class_id=key,
        aliases=[name],
        normalized_aliases=[name.lower()],
        outcomes=list(outcomes),
        primary_outcome=outcomes[0] if outcomes else None,
        option_card_ids=[],
    )


def taxonomy(*classes: VisionClass) -> Taxonomy:
    source = TaxonomySource(pack_id="p", pack_version="1", retrieved_at="x", municipality=None, pack_path="p")
    summary = TaxonomySummary(
        item_count=len(classes), alias_count=0, normalized_alias_count=0, outcome_counts={}
    )
    return Taxonomy(
        taxonomy_id="t", generated_at="t", source=source, summary=summary, vision_classes=list(classes),
        alias_index={},
    )  # fmt: skip


def image(name: str, *labels: str, url: str = "", **fields: Any) -> ManifestRow:
    status = "ready" if url else "todo"
    return ManifestRow(**{"name": name, "url": url, "expected_any": list(labels), "status": status, **fields})


CLASSES = taxonomy(
    label("Car Battery", "dropoff_hhw"),
    label("Plastic Jug", "curbside_recycle"),
    label("Plastic Lid", "trash", "reuse"),
    label("Yoga Mat", "reuse"),
)


@pytest.fixture
def plan(tmp_path: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "t.json", CLASSES)

    def call(command: str, images: list[ManifestRow] | None, *flags: str) -> Any:
        if images is not None:
            write_json(tmp_path / "m.json", BenchmarkManifest(name="m", images=images))
        files = ["--taxonomy", "t.json", "--manifest", "m.json", "--out", "o.json"]
        return repath("evaluation", command, *files, *flags)

    return call


def test_the_harmful_and_unseen_come_before_the_harmless_and_seen(plan, tmp_path: Path) -> None:
    ran = plan(
        PRIORITY,
        [
            image("mat", "Yoga Mat"),
            image("battery", "Car Battery", required=True),
            image("jug", "Plastic Jug"),
            image("ready", "Yoga Mat", url="a.png"),
            image("odd", "Odd"),
            image("todo_negative_x"),
        ],
        "--top",
        "2",
    )
    assert ran.code == 0, ran.err
    report = read_json(tmp_path / "o.json", PriorityPlan)
    assert [(each.name, each.priority_score, each.priority_band) for each in report.all_candidates] == [
        ("battery", 70, "urgent"),
        ("todo_negative_x", 40, "medium"),
        ("jug", 38, "medium"),
        ("mat", 20, "low"),
        ("odd", 0, "low"),
    ]
    assert [each.name for each in report.top_candidates] == ["battery", "todo_negative_x"]
    assert report.all_candidates[0].reasons == ["dropoff_hhw (+35)", "no picture yet (+25)", "required (+10)"]
    assert "1 other labels share a word with it (+3)" in report.all_candidates[2].reasons
    assert (report.all_candidates[4].status, report.all_candidates[4].reasons) == (
        "unmapped",
        ["the taxonomy lacks the label"],
    )
    assert ran.json["priority_band_counts"] == {"urgent": 1, "high": 0, "medium": 2, "low": 2}


def test_the_reasons_of_a_score_add_up_to_it(real: Path, repath: Repath, tmp_path: Path) -> None:
    repath(
        "data", "build-taxonomy", "--pack", real / "repath-core/fort-collins-co-us.pack.json", "--out",
        tmp_path / "t.json",
    )  # fmt: skip
    seed = real / "repath-mobile/benchmark-manifest.seed.json"
    repath(
        "evaluation", "build-benchmark-manifest", "--taxonomy", tmp_path / "t.json", "--seed", seed, "--out",
        tmp_path / "m.json",
    )  # fmt: skip
    report = plan_priority(
        read_json(tmp_path / "t.json", Taxonomy),
        read_json(tmp_path / "m.json", BenchmarkManifest),
        top=50,
        inputs={},
        generated_at="t",
    )
    assert report.summary.todo_candidates == 240
    for each in report.all_candidates:
        points = sum(int(reason.rsplit("(+", 1)[1].rstrip(")")) for reason in each.reasons if "(+" in reason)
        assert each.priority_score == min(100, points)
    scores = [each.priority_score for each in report.all_candidates]
    assert scores == sorted(scores, reverse=True)
    # Of a real city's list the batteries and the like are what must not be taken for something else.
    assert {each.primary_outcome for each in report.top_candidates[:5]} == {"dropoff_hhw"}


def test_labels_with_too_few_pictures_and_the_rows_to_fill(plan, tmp_path: Path) -> None:
    images = [
        image("a", "Plastic Jug", "Plastic Lid", url="a.png"),
        image("a", "Plastic Jug", "Plastic Lid", url="a.png"),  # the same picture counts once
        image("b", "Plastic Jug", url="b.png"),
        image("todo_jug", "Plastic Jug", item_id="jug"),
        image("todo_jug_2", "Plastic Jug"),
        image("todo_mat", "Yoga Mat"),
        image("odd", "Odd", url="o.png"),
        image("todo_negative_x"),
    ]
    ran = plan(EXPANSION, images, "--target-ready", "3", "--template-out", "e.csv")
    assert ran.code == 0, ran.err
    report = read_json(tmp_path / "o.json", ExpansionPlan)
    under = report.labels_under_target
    assert [(each.canonical_label, each.ready_count, each.deficit) for each in under] == [
        ("Car Battery", 0, 3), ("Yoga Mat", 0, 3), ("Plastic Lid", 1, 2), ("Plastic Jug", 2, 1),
    ]  # fmt: skip
    assert [each.canonical_label for each in report.labels_without_todo_candidates] == [
        "Car Battery",
        "Plastic Lid",
    ]
    assert report.unknown_labels.ready == ["Odd"]
    rows = read_csv(tmp_path / "e.csv", ExpansionRow, EXPANSION_COLUMNS)
    assert [(each.name, each.canonical_label, each.notes) for each in rows] == [
        ("todo_mat", "Yoga Mat", "coverage-expansion target=3 needed=3"),
        ("todo_jug", "Plastic Jug", "coverage-expansion target=3 needed=1"),
    ]
    assert "seed-benchmark-depth-variants" in ran.err


def test_the_template_is_a_labeled_csv_whose_filled_rows_stay(plan, tmp_path: Path, repath: Repath) -> None:
    images = [
        image("todo_jug", "Plastic Jug"),
        image("todo_mat", "Yoga Mat"),
        image("todo_lid", "Plastic Lid"),
    ]
    plan(EXPANSION, images, "--template-out", "e.csv")
    rows = read_csv(tmp_path / "e.csv", ExpansionRow, EXPANSION_COLUMNS)
    filled = rows[0].replace(url="found.png", source="me")
    noted = rows[1].replace(notes=f"{rows[1].notes}; by Ann")
    write_csv(tmp_path / "e.csv", [filled, noted, rows[2]], EXPANSION_COLUMNS)
    ran = plan(EXPANSION, None, "--target-ready", "1", "--max-rows", "1", "--template-out", "e.csv")
    after = read_csv(tmp_path / "e.csv", ExpansionRow, EXPANSION_COLUMNS)
    assert filled in after
    assert noted in after
    assert len(after) == 2
    assert {each["name"] for each in ran.json["kept_by_hand"]} == {filled.name, noted.name}
    repath("evaluation", "sync-benchmark-progress", "--manifest", "m.json", "--completed", "e.csv")
    urls = {each.name: each.url for each in read_json(tmp_path / "m.json", BenchmarkManifest).images}
    assert urls[filled.name] == "found.png"


@pytest.mark.parametrize("command", [PRIORITY, EXPANSION])
def test_a_plan_that_is_made_again_is_the_same_byte_for_byte(plan, tmp_path: Path, command: str) -> None:
    flags = ("--template-out", "e.csv") if command == EXPANSION else ()
    plan(command, [image("todo_jug", "Plastic Jug"), image("todo_negative_x")], *flags)
    before = digests(tmp_path)
    assert plan(command, None, *flags).code == 0
    assert digests(tmp_path) == before


def test_the_real_manifest_s_labels_below_the_target(real: Path, repath: Repath, tmp_path: Path) -> None:
    pack = real / "repath-core/fort-collins-co-us.pack.json"
    repath("data", "build-taxonomy", "--pack", pack, "--out", tmp_path / "t.json")
    ran = repath(
        "evaluation", EXPANSION, "--taxonomy", tmp_path / "t.json", "--manifest",
        real / "repath-mobile/municipal-benchmark-manifest-v2.json", "--out", tmp_path / "o.json",
        "--template-out", tmp_path / "e.csv",
    )  # fmt: skip
    told = ran.json
    assert (told["taxonomy_label_count"], told["labels_with_zero_ready"], told["template_rows"]) == (
        246,
        0,
        0,
    )
    # 162 labels have one picture, as the real rows have it, and those of the seed pictures few more.
    assert told["labels_under_target"] == told["labels_without_todo_candidates"] == 169


# --- rows without a picture


def row(name: str, label: str = "", **fields: str) -> LabeledRow:
    return LabeledRow(
        **{**dict.fromkeys(LABELED_COLUMNS, ""), "name": name, "canonical_label": label, **fields}
    )


@pytest.fixture
def export(tmp_path: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)

    def call(rows: list[LabeledRow] | None = None, *flags: str) -> Any:
        if rows is not None:
            write_csv(tmp_path / "l.csv", rows, LABELED_COLUMNS)
        return repath("evaluation", UNRESOLVED, "--input", "l.csv", "--out", "u.csv", *flags)

    return call


def table(tmp_path: Path) -> list[UnresolvedRow]:
    return read_csv(tmp_path / "u.csv", UnresolvedRow, UNRESOLVED_COLUMNS)


def _query(url: str, key: str) -> str:
    return parse_qs(urlsplit(url).query)[key][0]


def test_rows_without_a_picture_are_listed_with_links_to_search_by(export, tmp_path: Path) -> None:
    ran = export(
        [
            row("z", "Tin Can", notes="variant=1", source="retraining_queue"),
            row("done", "Foil", url="a.png"),
            row("a", "Foil & Co"),
            row("todo_negative_street_scene"),
            row("negative_y", notes="query=beach"),
            row("retrain_negative_foil_v1", notes="target_false_positive_label=Foil"),
        ]
    )
    assert ran.code == 0, ran.err
    rows = {each.name: each for each in table(tmp_path)}
    assert list(rows) == [
        "negative_y", "retrain_negative_foil_v1", "todo_negative_street_scene", "a", "z",
    ]  # fmt: skip
    assert (rows["z"].current_source, rows["z"].current_notes) == ("retraining_queue", "variant=1")
    assert (rows["z"].url, rows["z"].source, rows["z"].notes) == ("", "", "")
    assert _query(rows["a"].wikimedia_search_url, "search") == "Foil & Co"
    assert _query(rows["a"].google_images_search_url, "q") == "Foil & Co"
    assert _query(rows["todo_negative_street_scene"].wikimedia_search_url, "search") == "street scene"
    assert _query(rows["negative_y"].wikimedia_search_url, "search") == "beach"
    assert rows["retrain_negative_foil_v1"].wikimedia_search_url == ""
    assert (ran.json["unresolved_rows"], ran.json["negatives"]) == (5, 3)


def test_rows_that_a_person_filled_stay_and_those_that_are_resolved_go(export, tmp_path: Path) -> None:
    export([row("a", "Foil"), row("b", "Foil"), row("c", "Foil")])
    rows = table(tmp_path)
    mine = rows[0].replace(url="found.png", notes="by Ann")
    write_csv(tmp_path / "u.csv", [mine, *rows[1:]], UNRESOLVED_COLUMNS)
    ran = export([row("a", "Foil"), row("b", "Foil", url="b.png"), row("c", "Tin Can")])
    assert table(tmp_path)[0] == mine
    assert [(each.name, each.canonical_label) for each in table(tmp_path)] == [
        ("a", "Foil"),
        ("c", "Tin Can"),
    ]
    assert ran.json["kept_by_hand"] == [{"name": "a", "fields": ["url", "notes"]}]
    assert ran.json["dropped"] == 1
    before = digests(tmp_path)
    export()
    assert digests(tmp_path) == before


def test_the_filled_table_completes_a_manifest(export, tmp_path: Path, repath: Repath) -> None:
    write_json(tmp_path / "m.json", BenchmarkManifest(name="m", images=[image("a", "Foil")]))
    export([row("a", "Foil")])
    write_csv(tmp_path / "u.csv", [table(tmp_path)[0].replace(url="found.png")], UNRESOLVED_COLUMNS)
    ran = repath("evaluation", "sync-benchmark-progress", "--manifest", "m.json", "--completed", "u.csv")
    assert ran.json["rows_filled"] == 1


def test_a_dry_run_writes_no_table(export, tmp_path: Path) -> None:
    assert export([row("a", "Foil")], "--dry-run").json["unresolved_rows"] == 1
    assert not (tmp_path / "u.csv").exists()


def test_the_real_rows_all_have_a_picture_until_it_is_taken_away(real: Path, export, tmp_path: Path) -> None:
    shutil.copy(real / "repath-mobile/benchmark-labeled.csv", tmp_path / "l.csv")
    assert export().json["unresolved_rows"] == 0
    rows = read_csv(tmp_path / "l.csv", LabeledRow, LABELED_COLUMNS)
    assert export([each.replace(url="") for each in rows]).json["unresolved_rows"] == 488
    assert all(is_as_exported(each) for each in table(tmp_path))


text = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)


@given(st.lists(st.builds(row, text, text, notes=st.text(max_size=12), source=text), max_size=5))
def test_any_row_is_listed_once_with_links_to_the_two_search_pages_alone(rows: list[LabeledRow]) -> None:
    made = unresolved_rows(rows)
    assert {each.name for each in made} == {each.name for each in rows}
    assert len(made) == len({each.name for each in rows})
    assert all(is_as_exported(each) for each in made)
    for each in made:
        for url in (each.wikimedia_search_url, each.google_images_search_url):
            assert urlsplit(url).hostname in {None, "commons.wikimedia.org", "www.google.com"}


@given(
    st.builds(row, text, text, notes=text),
    st.sampled_from(["url", "source", "notes"]),
    text.filter(str.strip),
)
def test_a_row_that_a_person_wrote_into_is_theirs(made: LabeledRow, column: str, written: str) -> None:
    exported = unresolved_rows([made])[0]
    assert not is_as_exported(exported.replace(**{column: written}))


def test_a_template_row_is_ours_until_a_person_writes_into_it() -> None:
    ours = ExpansionRow(
        name="a", url="", item_id="", canonical_label="Foil", source="",
        notes="coverage-expansion target=3 needed=2", current_ready_count="1", target_ready_count="3",
        needed_for_target="2",
    )  # fmt: skip
    assert is_as_planned(ours)
    for column in ("url", "source", "notes", "target_ready_count", "needed_for_target"):
        assert not is_as_planned(ours.replace(**{column: "x"}))
