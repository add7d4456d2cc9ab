"""Rows added to a manifest for negatives and for the depth of labels."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workspaces import digests

from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.evaluation.depth import depths
from pipeline.evaluation.manifest_seeds import SCENES, seed_depth, seed_negatives
from pipeline.support.documents import read_json, write_json

Repath = Callable[..., Any]
REAL = "repath-mobile/municipal-benchmark-manifest-v2.json"


def image(name: str, *labels: str, url: str = "", **fields: Any) -> ManifestRow:
    status = "ready" if url else "todo"
    return ManifestRow(**{"name": name, "url": url, "expected_any": list(labels), "status": status, **fields})


@pytest.fixture
def seed(tmp_path: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)

    def call(command: str, images: list[ManifestRow] | None, *flags: str) -> Any:
        if images is not None:
            write_json(tmp_path / "m.json", BenchmarkManifest(name="m", generated_at="t", images=images))
        return repath("evaluation", command, "--manifest", "m.json", *flags)

    return call


def rows_of(tmp_path: Path) -> list[ManifestRow]:
    return read_json(tmp_path / "m.json", BenchmarkManifest).images


NEGATIVES, DEPTH = "seed-negative-benchmark-entries", "seed-benchmark-depth-variants"


def test_negatives_are_asked_for_until_there_are_enough(seed, tmp_path: Path) -> None:
    there = [image("todo_can", "Can"), image("todo_negative_people_scene"), image("mine", url="a.png")]
    ran = seed(NEGATIVES, there, "--count", "4")
    assert ran.code == 0, ran.err
    rows = rows_of(tmp_path)
    assert rows[:3] == there
    assert [each.to_data() for each in rows[3:]] == [
        {
            "name": f"todo_negative_{scene.replace(' ', '-')}_1",
            "url": "",
            "expected_any": [],
            "expected_all": [],
            "required": False,
            "status": "todo",
            "notes": f"Negative benchmark seed. query_hint={scene}",
        }
        for scene in SCENES[:2]
    ]
    assert (ran.json["current_negative_entries"], ran.json["generated_entries"]) == (2, 2)


def test_scenes_may_be_chosen_and_are_asked_for_again_when_all_are_there(seed, tmp_path: Path) -> None:
    seed(NEGATIVES, [], "--count", "3", "--scene", "night market", "--scene", "the  moon")
    assert [each.name for each in rows_of(tmp_path)] == [
        "todo_negative_night-market_1", "todo_negative_the-moon_1", "todo_negative_night-market_2",
    ]  # fmt: skip


@pytest.mark.parametrize("scene", ["", "  ", "x; key=y", "two\nlines"])
def test_a_scene_that_notes_cannot_hold_is_refused(seed, tmp_path: Path, scene: str) -> None:
    ran = seed(NEGATIVES, [], "--scene", scene)
    assert ran.code == 2
    assert rows_of(tmp_path) == []


def test_the_real_seventeen_are_those_that_would_be_asked_for(real: Path) -> None:
    rows = read_json(real / REAL, BenchmarkManifest).images
    negatives = [each for each in rows if each.is_negative]
    made = seed_negatives(
        [each for each in rows if each.required or not each.is_negative], count=len(negatives)
    ).rows
    assert [each.name for each in made] == [each.name for each in negatives if not each.required]
    for new, old in zip(made, [each for each in negatives if not each.required], strict=True):
        assert list(new.to_data()) == list(old.to_data())
        assert old.notes == f"{new.notes} Completed."
    assert seed_negatives(rows, count=len(negatives)).rows == []


def test_labels_below_the_target_get_placeholders_those_that_lack_most_first(seed, tmp_path: Path) -> None:
    there = [
        image("a", "Jar", url="a.png", item_id="jar"), image("b", "Jar", url="a.png"),
        image("todo_can", "Tin Can", item_id="can"), image("c", "Foil", url="c.png"),
        image("d", "Foil", url="d.png"), image("e", "Foil", url="e.png"),
    ]  # fmt: skip
    ran = seed(DEPTH, there, "--target-ready", "3")
    assert ran.code == 0, ran.err
    rows = rows_of(tmp_path)
    assert rows[:6] == there
    assert [(each.name, each.item_id) for each in rows[6:]] == [
        ("todo_depth_tin-can_v2", "can"), ("todo_depth_tin-can_v3", "can"),
        ("todo_depth_jar_v1", "jar"), ("todo_depth_jar_v2", "jar"),
    ]  # fmt: skip
    assert rows[6].notes == "Auto-generated depth expansion placeholder."
    assert ran.json["labels_below_target"] == 2


def test_placeholders_that_wait_count_against_the_most_that_may(seed, tmp_path: Path) -> None:
    there = [image(label, label, url=f"{label}.png") for label in ("A", "B")]
    ran = seed(DEPTH, there, "--max-new", "3")
    assert (ran.json["generated_entries"], ran.json["left_out"]) == (3, 1)
    before = digests(tmp_path)
    assert seed(DEPTH, None, "--max-new", "3").json["generated_entries"] == 0
    assert digests(tmp_path) == before
    filled = [each.replace(url=f"{n}.jpg", status="ready") for n, each in enumerate(rows_of(tmp_path))]
    assert seed(DEPTH, filled, "--max-new", "3").json["generated_entries"] == 1


@pytest.mark.parametrize("command", [NEGATIVES, DEPTH])
def test_run_again_or_dry_it_changes_nothing(seed, tmp_path: Path, command: str) -> None:
    images = [image("a", "Can", url="a.png")]
    assert seed(command, images, "--dry-run").json["generated_entries"] > 0
    assert rows_of(tmp_path) == images
    seed(command, None)
    before = digests(tmp_path)
    assert seed(command, None).json["generated_entries"] == 0
    assert digests(tmp_path) == before


def test_the_real_placeholders_are_written_alike(real: Path) -> None:
    rows = read_json(real / REAL, BenchmarkManifest).images
    old = {each.name: each for each in rows if each.name.startswith("todo_depth_")}
    made = seed_depth([each for each in rows if each.name not in old], target=3, max_open=1000).rows
    same = [each for each in made if each.name in old]
    assert len(same) > 100
    for new in same:
        there = old[new.name]
        assert list(new.to_data()) == list(there.to_data())
        assert (new.expected_any, new.item_id, new.required) == (
            there.expected_any, there.item_id, there.required,
        )  # fmt: skip
        assert (there.notes or "").startswith(new.notes or "")


def test_the_whole_real_manifest_reaches_its_target(real: Path, seed, tmp_path: Path) -> None:
    shutil.copy(real / REAL, tmp_path / "m.json")
    ran = seed(DEPTH, None, "--max-new", "1000")
    rows = rows_of(tmp_path)
    assert len({each.name for each in rows[420:]}) == ran.json["generated_entries"] > 0
    asked = {
        label: depths(rows)[label] + sum(label in each.expected_any for each in rows if not each.is_ready)
        for label in depths(rows)
    }
    assert min(asked.values()) == 3


manifests = st.lists(
    st.builds(
        image,
        st.from_regex(r"(todo_depth_|todo_negative_|)[a-c](_v?[1-3])?", fullmatch=True),
        st.sampled_from(["A", "B", "a", "紙"]),
        url=st.sampled_from(["", "a.png", "b.png"]),
    ),
    max_size=8,
)


@given(manifests, st.integers(0, 5), st.integers(1, 4), st.integers(1, 6))
def test_names_are_new_sides_are_those_of_the_names_and_a_second_call_adds_nothing(
    images: list[ManifestRow], count: int, target: int, most: int
) -> None:
    names = {each.name for each in images}
    negatives = seed_negatives(images, count=count, scenes=("a", "b")).rows
    depth = seed_depth(images, target=target, max_open=most).rows
    for made, negative in ((negatives, True), (depth, False)):
        assert len({each.name for each in made}) == len(made)
        assert not {each.name for each in made} & names
        assert all(each.is_negative == negative for each in made)
        assert all(re.fullmatch(r"todo_(negative|depth)_\S+_v?\d+", each.name) for each in made)
    assert seed_negatives([*images, *negatives], count=count, scenes=("a", "b")).rows == []
    assert seed_depth([*images, *depth], target=target, max_open=most).rows == []
