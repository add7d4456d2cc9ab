"""Every picture of a manifest in the workspace, or the reason why not."""

from __future__ import annotations

import functools
import http.server
import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.support.documents import write_csv

Run = Callable[..., Any]


def picture(kind: str = "JPEG", colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 12), colour).save(out, kind)
    return out.getvalue()


@dataclass
class Space:
    """A workspace with a manifest, a labeled CSV, and a site that serves ``site/``."""

    root: Path
    repath: Run
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def put(self, path: str, data: bytes | str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if isinstance(data, bytes) else data.encode())
        return target

    def manifest(self, *rows: dict[str, Any], path: str = "benchmarks/m.json") -> Path:
        return self.put(path, json.dumps({"name": "m", "images": list(rows)}))

    def labeled(self, *rows: tuple[str, str, str, str]) -> None:
        made = [
            LabeledRow(name=name, url=url, item_id=item, canonical_label=label, source="s", notes="")
            for name, url, item, label in rows
        ]
        write_csv(self.root / "data" / "rows.csv", made, LABELED_COLUMNS)

    def resolve(self, *more: object) -> Any:
        return self.repath(
            "evaluation", "build-resolved-benchmark-manifest", "--manifest", self.root / "benchmarks/m.json",
            "--completed", self.root / "data/rows.csv", "--cache-dir", self.root / "cache",
            "--out", self.root / "benchmarks/out.json", *more,
        )  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads((self.root / "benchmarks/out.json").read_text())["images"]
        return rows


@pytest.fixture
def space(tmp_path: Path, repath: Run) -> Iterator[Space]:
    made = Space(tmp_path / "ws", repath)
    made.put("repath.toml", "[download]\nallow_private_addresses = true\nretries = 0\n")
    made.labeled()
    (made.root / "site").mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            made.asked.append(self.path)

    serve = functools.partial(Handler, directory=str(made.root / "site"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _in_the_workspace(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(space.root)


def row(name: str, url: str, *labels: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "url": url,
        "expected_any": list(labels),
        "status": "ready" if url else "todo",
        **more,
    }


def test_pictures_are_fetched_and_copied_and_named_relative_to_the_workspace(space: Space) -> None:
    space.put("site/a.png", picture("PNG"))
    space.put("img/b.jpg", picture())
    space.manifest(row("a", f"{space.url}/a.png", "A"), row("b", "img/b.jpg", "B", mine=1), row("c", "", "C"))
    ran = space.resolve()
    assert ran.code == 0, ran.err
    a, b, c = space.rows()
    assert a["source_url"] == f"{space.url}/a.png"
    assert a["url"].startswith("cache/a-")
    assert a["url"].endswith(".png")
    assert (space.root / a["url"]).read_bytes() == picture("PNG")
    assert b["source_url"] == "img/b.jpg"
    assert b["mine"] == 1
    assert (space.root / b["url"]).read_bytes() == picture()
    assert c == row("c", "", "C")
    assert ran.json["resolved"] == 2
    assert ran.json["todo"] == 1
    assert ran.json["found"] == {".": 1}


def test_a_second_run_fetches_nothing_again_and_writes_the_same(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    space.put("site/a.jpg", picture())
    space.manifest(row("a", f"{space.url}/a.jpg", "A"), row("a", f"{space.url}/a.jpg", "A"))
    space.resolve()
    first = (space.root / "benchmarks/out.json").read_bytes()
    space.resolve()
    assert (space.root / "benchmarks/out.json").read_bytes() == first
    assert space.asked == ["/a.jpg"]
    ran = space.resolve("--no-download")
    assert ran.json["resolved"] == 2


def test_a_row_whose_url_was_changed_is_fetched_anew(space: Space) -> None:
    space.put("site/a.jpg", picture())
    space.put("site/b.jpg", picture(colour="blue"))
    space.manifest(row("a", f"{space.url}/a.jpg", "A"))
    space.resolve()
    space.labeled(("a", f"{space.url}/b.jpg", "", "A"))
    space.resolve()
    assert (space.root / space.rows()[0]["url"]).read_bytes() == picture(colour="blue")


def test_what_could_not_be_had_is_listed_and_keeps_its_url(space: Space) -> None:
    space.put("site/page.jpg", "<html>")
    space.manifest(
        row("gone", f"{space.url}/gone.jpg", "A"),
        row("page", f"{space.url}/page.jpg", "A"),
        row("nowhere", "img/none.jpg", "A"),
    )
    ran = space.resolve()
    assert ran.code == 0
    gone, page, nowhere = space.rows()
    assert gone["url"] == gone["source_url"] == f"{space.url}/gone.jpg"
    assert gone["resolve_error"] == "download_failed: HTTP 404"
    assert page["resolve_error"].startswith("download_failed: not a picture")
    assert nowhere["resolve_error"] == "local_not_found"
    assert ran.json["failed"] == 3
    assert [failure["name"] for failure in ran.json["failures"]] == ["gone", "page", "nowhere"]
    assert "nowhere" in ran.err


def test_without_downloads_a_remote_row_says_so(space: Space) -> None:
    space.manifest(row("a", f"{space.url}/a.jpg", "A"))
    assert space.resolve("--no-download").json["download_disabled"] == 1
    assert space.rows()[0]["resolve_error"] == "download_disabled"
    assert space.asked == []


def test_a_resolved_row_loses_the_error_of_an_earlier_run(space: Space) -> None:
    space.put("img/a.jpg", picture())
    space.manifest(row("a", "img/a.jpg", "A", resolve_error="local_not_found", source_url="https://x/a.jpg"))
    space.resolve()
    [resolved] = space.rows()
    assert "resolve_error" not in resolved
    assert resolved["source_url"] == "https://x/a.jpg"


def test_local_pictures_may_stay_where_they_are(space: Space) -> None:
    space.put("img/a.jpg", picture())
    space.manifest(row("a", "img/a.jpg", "A"))
    space.resolve("--no-copy-local")
    assert space.rows()[0]["url"] == "img/a.jpg"
    assert not (space.root / "cache").exists()


def test_the_labeled_csv_fills_rows_and_appends_its_own(space: Space) -> None:
    for name in ("a", "b", "n"):
        space.put(f"img/{name}.jpg", picture())
    space.manifest(row("todo_a", "", "A", item_id="a", notes="Add one."), row("neg", ""))
    space.labeled(
        ("todo_a", "img/a.jpg", "a", "A"),
        ("b", "img/b.jpg", "b", "B"),
        ("neg", "img/n.jpg", "", ""),
        ("retrain_positive_a_v1", "img/a.jpg", "a", "A"),
        ("empty", "", "", "A"),
    )
    ran = space.resolve()
    filled, negative, appended = space.rows()
    assert filled["status"] == "ready"
    assert filled["notes"] == "Add one. Completed."
    assert negative["source_url"] == "img/n.jpg"
    assert appended["name"] == "b"
    assert appended["expected_any"] == ["B"]
    assert appended["required"] is False
    assert ran.json["filled_from_completed"] == 2
    assert ran.json["appended_from_completed"] == 1


def test_one_labeled_row_fills_every_row_of_its_name(space: Space) -> None:
    space.put("img/a.jpg", picture())
    space.manifest(row("box", "", "A", "B", item_id="a"), row("box", "", "A", "B", item_id="b"))
    space.labeled(("box", "img/a.jpg", "b", "A"))
    assert space.resolve().json["resolved"] == 2


def test_of_two_labeled_rows_the_one_of_the_item_is_taken(space: Space) -> None:
    space.put("img/a.jpg", picture())
    space.put("img/b.jpg", picture(colour="blue"))
    space.manifest(row("box", "", "A", item_id="a"), row("box", "", "A", item_id="b"))
    space.labeled(("box", "img/a.jpg", "a", "A"), ("box", "img/b.jpg", "b", "A"))
    space.resolve()
    assert [row["source_url"] for row in space.rows()] == ["img/a.jpg", "img/b.jpg"]


def test_where_one_must_be_picked_and_cannot_the_error_names_both(space: Space) -> None:
    space.manifest(row("box", "", "A", item_id="x"))
    space.labeled(("box", "img/a.jpg", "a", "A"), ("box", "img/b.jpg", "b", "A"))
    ran = space.resolve()
    assert ran.code == 1
    assert "line 2 (box) and line 3 (box)" in ran.err
    assert "images[0] (box)" in ran.err


def test_a_label_that_the_row_does_not_expect_is_refused(space: Space) -> None:
    space.manifest(row("a", "", "A"), row("n", ""))
    space.labeled(("a", "img/a.jpg", "", "Z"), ("n", "img/a.jpg", "", "A"))
    ran = space.resolve()
    assert ran.code == 1
    assert "line 2 (a), column canonical_label: 'Z'" in ran.err
    assert "no label (a negative)" in ran.err


def test_appended_manifests_have_their_own_folders(space: Space) -> None:
    space.put("other/repath.toml", "")
    space.put("other/img/a.jpg", picture())
    space.manifest()
    more = space.manifest(row("x", "img/a.jpg", "A"), path="other/more.json")
    assert space.resolve("--append-manifest", more).json["found"] == {"other": 1}


def test_a_folder_given_with_root_comes_first(space: Space, tmp_path: Path) -> None:
    space.put("img/a.jpg", picture())
    (tmp_path / "root" / "img").mkdir(parents=True)
    (tmp_path / "root" / "img" / "a.jpg").write_bytes(picture(colour="blue"))
    space.manifest(row("a", "img/a.jpg", "A"))
    assert space.resolve("--root", tmp_path / "root").code == 0
    cached = next((space.root / "cache").iterdir())
    assert cached.read_bytes() == picture(colour="blue")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("../secret.jpg", "leaves the workspace"),
        ("/etc/passwd", "outside the workspace"),
        ("file:///etc/passwd", "outside the workspace"),
        ("file://host/a.jpg", "another host"),
        ("img/out.jpg", "a link that leaves"),
        ("img/text.jpg", "not a picture"),
        ("img/half.png", "truncated"),
        ("img/none.jpg/", None),
        ("img/empty.jpg", "empty"),
    ],
)
def test_a_hostile_or_broken_local_url_stops_before_anything_is_fetched_or_written(
    url: str, said: str | None, space: Space
) -> None:
    secret = space.root.parent / "secret.jpg"
    secret.write_bytes(picture())
    space.put("img/text.jpg", "I am text")
    space.put("img/half.png", picture("PNG")[:50])
    space.put("img/empty.jpg", b"")
    (space.root / "img/out.jpg").symlink_to(secret)
    space.put("benchmarks/out.json", "old")
    space.manifest(row("web", f"{space.url}/a.jpg", "A"), row("bad", url, "A"))
    ran = space.resolve()
    if said is None:
        assert ran.json["local_not_found"] == 1
        return
    assert ran.code == 1
    assert said in ran.err
    assert "images[1] (bad)" in ran.err
    assert space.asked == []
    assert (space.root / "benchmarks/out.json").read_text() == "old"


def test_a_file_url_of_no_picture_is_refused(space: Space) -> None:
    text = space.put("img/list.txt", "text")
    space.manifest(row("bad", text.as_uri(), "A"))
    ran = space.resolve()
    assert ran.code == 1
    assert "not a picture" in ran.err


def test_a_private_address_is_not_fetched_by_default(space: Space) -> None:
    space.put("repath.toml", "[download]\nretries = 0\n")
    space.put("site/a.jpg", picture())
    space.manifest(row("a", f"{space.url}/a.jpg", "A"))
    space.resolve()
    assert "private network" in space.rows()[0]["resolve_error"]
    assert space.asked == []


def test_a_hostile_name_stays_in_the_cache(space: Space) -> None:
    space.put("img/a.jpg", picture())
    space.manifest(row("../../x", "img/a.jpg", "A"), row("a/b", "img/a.jpg", "A"))
    space.resolve()
    assert all(Path(row["url"]).parent == Path("cache") for row in space.rows())
    assert len({row["url"] for row in space.rows()}) == 2


def test_the_real_manifest_and_rows(real: Path, space: Space) -> None:
    mobile = real / "repath-mobile"
    ran = space.resolve(
        "--manifest", mobile / "municipal-benchmark-manifest-v2.json",
        "--completed", mobile / "benchmark-labeled.csv", "--no-download",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    counts = {key: ran.json[key] for key in ("rows", "ready", "negatives", "filled_from_completed")}
    assert counts == {"rows": 420, "ready": 420, "negatives": 20, "filled_from_completed": 420}
    assert (ran.json["download_disabled"], ran.json["local_not_found"]) == (392, 28)
