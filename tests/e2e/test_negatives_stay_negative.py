"""Whatever commands curate the rows, in whatever order: no label comes or goes, and twice is as once."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from commons_server import Commons, page
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from workspaces import digests

from pipeline.cli.main import run
from pipeline.contracts.analysis import PRIORITY_COLUMNS, PriorityRow
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.support.documents import read_csv, read_json, write_csv, write_json

LABELED, MANIFEST = (
    Path("data/benchmark-labeled.csv"),
    Path("benchmarks/municipal-benchmark-manifest-v2.json"),
)
QUEUE = Path("data/benchmark-retraining-queue.csv")
LABELS = ["Tin Can", "Foil"]
COMMONS = "https://commons.wikimedia.org/wiki/Special:FilePath/"

COMMANDS = [
    "data suggest-benchmark-from-kaggle --kaggle-dir classes",
    "data suggest-benchmark-online --limit 99",
    f"data suggest-benchmark-online --input {MANIFEST} --limit 99",
    "data suggest-benchmark-online-bulk --limit 2 --pause-ms 0 --include-previous-failures",
    "data suggest-negative-online --limit 99",
    "data normalize-benchmark-labeled-urls",
    "data dedupe-benchmark-labeled",
    "data dedupe-benchmark-labeled --keep-last",
    "data merge-retraining-queue",
    "data fill-retraining-negatives --negatives-dir scenes --no-download",
    "data fill-retraining-negatives --from-benchmark --no-download",
    "data sync-labeled-from-manifest",
    "data sync-labeled-from-manifest --include-ready",
    "training build-retraining-queue",
    "training build-retraining-queue --positive-top 1 --variants 2",
    "evaluation sync-benchmark-progress",
    "evaluation sync-benchmark-progress --clear-empty-url",
    "evaluation sync-benchmark-progress --overwrite",
    "evaluation dedupe-benchmark-manifest",
    "evaluation dedupe-benchmark-manifest --keep-last --keep-url",
    "evaluation seed-negative-benchmark-entries --count 4",
    "evaluation seed-benchmark-depth-variants --target-ready 2",
    "evaluation plan-benchmark-priority",
    "evaluation plan-benchmark-coverage-expansion",
    "evaluation export-unresolved-benchmark-rows",
    "data bootstrap-kaggle-dataset --source classes --target data/kaggle",
]

NAMES = [
    "todo_tin-can", "todo_foil", "photo", "todo_negative_street_scene", "todo_negative_beach_1",
    "retrain_positive_tin-can_v1", "retrain_positive_foil_v2", "retrain_negative_tin-can_v1",
    "retrain_negative_foil_v1", "todo_depth_tin-can_v1",
]  # fmt: skip
URLS = ["", "", "data/a.png", "data/b.png", f"{COMMONS}A.jpg", "http://commons.wikimedia.org/wiki/File:A.jpg"]
NOTES = [
    "", "checked by Ann", "query=beach", "title=File:Old.jpg; query=x", "variant=1; no_match",
    "action=collect_more_positives; priority_score=3; variant=1",
    "target_false_positive_label=Foil; action=add_hard_negatives; priority_score=2; variant=1",
    "Completed.", "Needs unique URL (csv dedupe).",
]  # fmt: skip

labeled_rows = st.lists(
    st.builds(
        LabeledRow,
        name=st.sampled_from(NAMES),
        url=st.sampled_from(URLS),
        item_id=st.sampled_from(["", "can"]),
        canonical_label=st.sampled_from(["", *LABELS]),
        source=st.sampled_from(["", "retraining_queue", "retraining_queue_negative", "me"]),
        notes=st.sampled_from(NOTES),
    ),
    unique_by=lambda row: row.name,  # a name that stands twice is refused, which others test
    max_size=7,
)
manifest_rows = st.lists(
    st.builds(
        ManifestRow,
        name=st.sampled_from(NAMES),
        url=st.sampled_from(URLS),
        expected_any=st.sampled_from([[], ["Tin Can"], ["Foil"], ["Foil", "Tin Can"]]),
        expected_all=st.sampled_from([[], [], ["Tin Can"]]),
        required=st.booleans(),
        status=st.sampled_from(["ready", "todo"]),
        notes=st.sampled_from(["", "Completed.", "Needs unique URL (deduped).", "query_hint=forest trail"]),
    ),
    max_size=6,
)


@st.composite
def priority_tables(draw: st.DrawFn) -> list[PriorityRow]:
    actions = draw(
        st.lists(
            st.tuples(
                st.sampled_from(LABELS), st.sampled_from(["collect_more_positives", "add_hard_negatives"])
            ),
            unique=True,
            max_size=4,
        )
    )
    counts = dict.fromkeys(PRIORITY_COLUMNS, "1")
    return [
        PriorityRow(**{**counts, "label": label, "recommended_action": action, "priority_score": str(9 - n)})
        for n, (label, action) in enumerate(actions)
    ]


class _Answering(Commons):
    """Knows three pictures of everything, one of which it finds for every search; nothing of foil."""

    def next(self, query: str) -> object:
        if "foil" in query.lower():
            return []
        return [page("File:A.jpg", 1), *(page(f"File:{query} {n}.jpg", n + 1) for n in (1, 2, 3))]


@pytest.fixture(scope="module")
def commons() -> Iterator[_Answering]:
    server = _Answering()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _search_there(commons: _Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPATH_COMMONS_API", commons.url)


@pytest.fixture(scope="module")
def taxonomy(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("taxonomy")
    items = [{"id": name.lower(), "name": name, "keywords": [], "option_cards": []} for name in LABELS]
    pack = {"pack_id": "p", "pack_version": "1", "retrieved_at": "x", "municipality": {}, "items": items}
    (folder / "pack.json").write_text(json.dumps(pack))
    ran = ["data", "build-taxonomy", "--pack", str(folder / "pack.json"), "--out", str(folder / "t.json")]
    assert run(ran) == 0
    return (folder / "t.json").read_text()


_PICTURES = {
    "data/a.png": "red", "data/b.png": "blue", "classes/cans/1.png": "green", "classes/cans/2.png": "lime",
    "scenes/1.png": "white", "scenes/x/2.png": "gray",
}  # fmt: skip


def _draw(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 12), colour).save(path)


def _workspace(taxonomy: str) -> None:
    Path("repath.toml").write_text(
        '[download]\nallow_private_addresses = true\n[kaggle.folders]\n"Tin Can" = ["cans"]\n'
    )
    place = Path("assets/models/municipal-taxonomy-v1.json")
    place.parent.mkdir(parents=True)
    place.write_text(taxonomy)
    for path, colour in _PICTURES.items():
        _draw(Path(path), colour)


def _quietly(command: str) -> tuple[int, str]:
    told = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
        return run(command.split()), told.getvalue()


Sides = list[tuple[str, list[str]]]


def _sides(path: Path) -> Sides:
    if not path.exists():
        return []
    if path == MANIFEST:
        rows = read_json(path, BenchmarkManifest).images
        return [(row.name, [*row.expected_any, "|", *row.expected_all]) for row in rows]
    return [(row.name, [row.canonical_label]) for row in read_csv(path, LabeledRow, LABELED_COLUMNS)]


def _expects(name: str, images: Sequence[ManifestRow]) -> set[str]:
    """Return what a new labeled row may be labeled: by its name, else as the manifest's row of it."""
    if name.startswith("retrain_negative_"):
        return {""}
    if name.startswith("retrain_"):
        return set(LABELS)
    rows = [row for row in images if row.name == name]
    return {"" if row.is_negative else row.labels()[0] for row in rows}


def _check(command: str, before: dict[Path, Sides], images: Sequence[ManifestRow]) -> None:
    """No label came or went, no row was moved or lost, and what was added is what its name says."""
    for path in (LABELED, MANIFEST):
        now = _sides(path)
        assert now[: len(before[path])] == before[path], command
        for name, labels in now[len(before[path]) :]:
            if path == LABELED:
                assert labels[0] in _expects(name, images), (command, name)
            else:
                assert (labels == ["|"]) == name.startswith("todo_negative_"), (command, name)
    for name, labels in _sides(QUEUE):
        assert (labels == [""]) == name.startswith("retrain_negative_"), (command, name)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=labeled_rows,
    images=manifest_rows,
    table=priority_tables(),
    commands=st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=6),
)
def test_no_command_gives_or_takes_a_label_in_any_order_and_each_does_nothing_when_run_again(
    taxonomy: str,
    rows: list[LabeledRow],
    images: list[ManifestRow],
    table: list[PriorityRow],
    commands: list[str],
) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        space = Path()
        _workspace(taxonomy)
        write_csv(LABELED, rows, LABELED_COLUMNS)
        write_json(MANIFEST, BenchmarkManifest(name="m", images=images))
        write_csv(Path("benchmarks/latest-results.candidate.priority.csv"), table, PRIORITY_COLUMNS)
        for command in commands:
            before = {path: _sides(path) for path in (LABELED, MANIFEST)}
            asked = read_json(MANIFEST, BenchmarkManifest).images
            bytes_before = digests(space)
            code, told = _quietly(command)
            assert "Traceback" not in told
            if code != 0:
                assert code in {1, 2}, told
                assert digests(space) == bytes_before, command
                continue
            _check(command, before, asked)
            once = digests(space)
            assert _quietly(command)[0] == 0
            assert digests(space) == once, command


def test_every_command_of_the_property_succeeds_on_rows_without_a_fault(taxonomy: str) -> None:
    """The property above lets a command refuse; this shows that none of them always does."""
    row = {"url": "", "item_id": "", "source": "", "notes": ""}
    rows = [
        LabeledRow(name="todo_tin-can", canonical_label="Tin Can", **row),
        LabeledRow(name="todo_negative_beach_1", canonical_label="", **row),
        LabeledRow(name="retrain_negative_foil_v1", canonical_label="", **row),
    ]
    counts = dict.fromkeys(PRIORITY_COLUMNS, "1")
    table = [PriorityRow(**{**counts, "label": "Tin Can", "recommended_action": "collect_more_positives"})]
    images = [ManifestRow(name="todo_foil", url="", expected_any=["Foil"], status="todo")]
    for command in COMMANDS:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            _workspace(taxonomy)
            write_csv(LABELED, rows, LABELED_COLUMNS)
            write_json(MANIFEST, BenchmarkManifest(name="m", images=images))
            write_csv(Path("benchmarks/latest-results.candidate.priority.csv"), table, PRIORITY_COLUMNS)
            write_csv(QUEUE, [], LABELED_COLUMNS)
            code, told = _quietly(command)
            assert code == 0, (command, told)
