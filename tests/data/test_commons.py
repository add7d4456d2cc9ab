from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from commons_server import Commons, page
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.data.commons import OnlineSuggester, queries, used_sources, wanting
from pipeline.data.dedupe import NOTE
from pipeline.support.documents import read_csv, write_csv
from pipeline.support.errors import DownloadError

FORM = "https://commons.wikimedia.org/wiki/Special:FilePath/"


def labeled(name: str, label: str = "", url: str = "", notes: str = "", source: str = "") -> LabeledRow:
    return LabeledRow(name=name, url=url, item_id="i", canonical_label=label, source=source, notes=notes)


@pytest.fixture
def commons() -> Iterator[Commons]:
    server = Commons()
    yield server
    server.close()


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commons: Commons) -> Path:
    (tmp_path / "repath.toml").write_text("[download]\nallow_private_addresses = true\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPATH_COMMONS_API", commons.url)
    return tmp_path


@pytest.fixture
def suggest(space: Path, repath):
    def call(*rows: LabeledRow, flags: tuple[str, ...] = ()):
        if rows:
            write_csv(space / "rows.csv", rows, LABELED_COLUMNS)
        return repath(
            "data", "suggest-benchmark-online", "--input", "rows.csv", "--merge-into", "rows.csv",
            "--timeout-ms", "5000", *flags,
        )  # fmt: skip

    return call


def rows_of(space: Path, name: str = "rows.csv") -> list[LabeledRow]:
    return read_csv(space / name, LabeledRow, LABELED_COLUMNS)


def test_rows_without_a_url_get_the_best_unused_picture(space: Path, commons: Commons, suggest) -> None:
    commons.answers["Tin Can"] = [[page("File:Second, best.jpg", 2), page("File:tin_can (1).jpg", 1)]]
    kept = labeled("kept", "Foil", url="images/foil.png")
    used = labeled("used", "Tin Can", notes=f"title=File:Old.jpg; query=x; reviewed by Ann; {NOTE}")
    ran = suggest(kept, used, labeled("more", "Tin Can"), flags=("--out", "out.csv"))
    assert ran.code == 0, ran.err
    rows = rows_of(space)
    assert rows[0] == kept
    assert rows[1].url == f"{FORM}Tin%20can%20(1).jpg"
    assert rows[1].notes == "reviewed by Ann; title=File:Tin can (1).jpg; query=Tin Can"
    assert rows[1].source == "wikimedia_commons_search"
    assert rows[2].url == f"{FORM}Second%2C%20best.jpg"
    assert ran.json["matched_rows"] == 2
    assert rows_of(space, "out.csv") == rows[1:]


def test_a_negative_is_searched_for_by_its_scene_and_gets_no_label(
    space: Path, commons: Commons, suggest
) -> None:
    commons.answers["street scene"] = [[page("File:Street.jpg")]]
    commons.answers["beach"] = [[page("File:Beach.jpg")]]
    hard = labeled("retrain_negative_paper-bag_v1", notes="target_false_positive_label=Paper Bag")
    ran = suggest(
        labeled("todo_negative_street_scene"), labeled("todo_negative_x_1", notes="query=beach"), hard
    )
    rows = rows_of(space)
    assert [row.url for row in rows] == [f"{FORM}Street.jpg", f"{FORM}Beach.jpg", ""]
    assert all(row.is_negative for row in rows)
    assert rows[0].source == "wikimedia_commons_negative_search"
    assert rows[2] == hard
    assert ran.json["left_to_a_person"] == [hard.name]
    assert not any("paper" in asked.lower() for asked in commons.asked)


def test_no_file_serves_two_rows_in_whatever_form_its_url_stands(
    space: Path, commons: Commons, suggest
) -> None:
    commons.answers["Tin Can"] = [
        [page("File:A.jpg", 1), page("File:B.jpg", 2), page("File:C.jpg", 3), page("File:D.jpg", 4)]
    ]
    suggest(
        labeled("one", "Foil", url="http://commons.wikimedia.org/wiki/File:A.jpg"),
        labeled(
            "two", "Foil", url="cache/b.jpg", notes="source_url=https://commons.wikimedia.org/wiki/File:B.jpg"
        ),
        labeled("three", "Foil", url="cache/c.jpg", notes="title=C.jpg; manual_query=can"),
        labeled("wanting", "Tin Can"),
    )
    assert rows_of(space)[3].url == f"{FORM}D.jpg"


def test_what_is_no_usable_photo_is_passed_over(space: Path, commons: Commons, suggest) -> None:
    commons.answers["Tin Can"] = [[
        page("File:Drawing.svg", 1, mime="image/svg+xml"),
        page("File:Book.pdf", 2, mime="application/pdf"),
        page("File:Tiny.jpg", 3, width=32),
        page("File:Huge.jpg", 4, width=90_000, height=90_000),
        page("File:Heavy.jpg", 5, size=1 << 40),
        page("Category:Cans", 6),
        {"title": "File:Unknown.jpg", "index": 7},
        page("File:Good.png", 8, mime="image/png"),
    ]]  # fmt: skip
    suggest(labeled("can", "Tin Can"))
    assert rows_of(space)[0].url == f"{FORM}Good.png"


@pytest.mark.parametrize(
    "title",
    [
        "File:Can; url=https://evil.example/x.jpg",
        "File:Can\nretrain_positive_x,evil",
        "File:<script>alert(1)</script>.jpg",
        "File:" + "x" * 10_000 + ".jpg",
        "File:../../etc/passwd.jpg",
        "File:\u202egpj.exe.jpg",
        "File:",
    ],
)
def test_a_hostile_title_never_reaches_a_row(space: Path, commons: Commons, suggest, title: str) -> None:
    commons.answers["Tin Can"] = [[page(title, 1), page("File:Good.jpg", 2)]]
    assert suggest(labeled("can", "Tin Can")).code == 0
    assert rows_of(space)[0].url == f"{FORM}Good.jpg"


def test_a_busy_service_is_asked_again(space: Path, commons: Commons, suggest) -> None:
    commons.answers["Tin Can"] = [429, 503, [page("File:Can.jpg")]]
    assert suggest(labeled("can", "Tin Can"), flags=("--max-retries", "2")).code == 0
    assert rows_of(space)[0].url == f"{FORM}Can.jpg"
    assert commons.asked == ["Tin Can"] * 3


@pytest.mark.parametrize(
    "answer",
    [500, b"{broken", b"\xff\xfe", b"[" * 100_000, b"[]", {"query": {"pages": {"1": {}}}},
     {"error": {"code": "ratelimited", "info": "slow\ndown"}}],
)  # fmt: skip
def test_a_search_that_fails_is_told_and_leaves_its_row_for_the_next_run(
    space: Path, commons: Commons, suggest, answer: object
) -> None:
    commons.answers["Foil"] = [answer]
    commons.answers["Tin Can"] = [[page("File:Can.jpg")]]
    foil = labeled("foil", "Foil")
    ran = suggest(foil, labeled("can", "Tin Can"), flags=("--max-retries", "0"))
    assert ran.code == 0
    assert rows_of(space)[0] == foil
    assert rows_of(space)[1].url == f"{FORM}Can.jpg"
    assert len(ran.json["failed"]) == 1
    assert "\n" not in ran.json["failed"][0]


def test_three_failures_in_a_row_end_the_run_and_keep_what_was_found(
    space: Path, commons: Commons, suggest
) -> None:
    commons.answers["Tin Can"] = [[page("File:Can.jpg")]]
    for label in ("A1", "A2", "A3"):
        commons.answers[label] = [500]
    rows = [labeled("can", "Tin Can"), *(labeled(f"r{n}", f"A{n}") for n in (1, 2, 3, 4))]
    ran = suggest(*rows, flags=("--max-retries", "0"))
    assert ran.code == 1
    assert "3 searches failed one after another" in ran.err
    assert rows_of(space)[0].url == f"{FORM}Can.jpg"
    assert rows_of(space)[1:] == rows[1:]
    assert "A4" not in commons.asked


def test_nothing_is_written_where_nothing_was_found_before_the_failure(
    space: Path, commons: Commons, suggest
) -> None:
    for label in ("A1", "A2", "A3"):
        commons.answers[label] = [500]
    ran = suggest(
        *(labeled(f"r{n}", f"A{n}") for n in (1, 2, 3)), flags=("--max-retries", "0", "--out", "o.csv")
    )
    assert ran.code == 1
    assert not (space / "o.csv").exists()


def test_a_row_that_found_nothing_is_remembered_and_passed_over_until_asked_for(
    space: Path, commons: Commons, suggest
) -> None:
    suggest(labeled("can", "Tin Can", notes="variant=1"), labeled("old", "Foil", notes="no_match"))
    assert rows_of(space)[0].notes == "variant=1; suggest_failed=no_result"
    commons.answers["Tin Can"] = [[page("File:Can.jpg")]]
    commons.asked.clear()
    ran = suggest()
    assert commons.asked == []
    assert ran.json["skipped_previously_attempted"] == 2
    suggest(flags=("--include-previous-failures",))
    assert rows_of(space)[0].notes == "variant=1; title=File:Can.jpg; query=Tin Can"


def test_limit_and_offset_choose_among_the_rows_without_a_url(space: Path, commons: Commons, suggest) -> None:
    ran = suggest(*(labeled(f"r{n}", f"Label{n}") for n in range(6)), flags=("--offset", "2", "--limit", "3"))
    assert commons.asked == ["Label2", "Label3", "Label4"]
    assert ran.json["unresolved_pool"] == 6


def test_a_manifest_is_searched_for_its_todo_rows_and_aliases_of_a_taxonomy_help(
    space: Path, commons: Commons, repath
) -> None:
    pack = {"pack_id": "p", "pack_version": "1", "retrieved_at": "x", "municipality": {}, "items": [
        {"id": "can", "name": "Tin Can", "keywords": ["soup can"], "option_cards": []}]}  # fmt: skip
    (space / "pack.json").write_text(json.dumps(pack))
    repath("data", "build-taxonomy", "--pack", "pack.json", "--out", "taxonomy.json")
    images = [
        {"name": "todo_can", "url": "", "expected_any": ["Tin Can"], "status": "todo", "item_id": "can"},
        {"name": "ready", "url": "a.png", "expected_any": ["Tin Can"], "status": "ready"},
        {"name": "todo_negative_people_scene", "url": "", "expected_any": [], "status": "todo"},
    ]
    (space / "m.json").write_text(json.dumps({"name": "m", "images": images}))
    commons.answers["soup can"] = [[page("File:Soup.jpg")]]
    commons.answers["people scene"] = [[page("File:People.jpg")]]
    ran = repath(
        "data", "suggest-benchmark-online", "--input", "m.json", "--merge-into", "rows.csv",
        "--taxonomy", "taxonomy.json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    rows = rows_of(space)
    assert [(row.name, row.url, row.canonical_label, row.item_id) for row in rows] == [
        ("todo_can", f"{FORM}Soup.jpg", "Tin Can", "can"),
        ("todo_negative_people_scene", f"{FORM}People.jpg", "", ""),
    ]


def test_an_api_on_a_private_address_is_refused_unless_settings_allow_it(
    space: Path, commons: Commons, suggest
) -> None:
    (space / "repath.toml").write_text("")
    ran = suggest(labeled("can", "Tin Can"))
    assert "private network" in ran.json["failed"][0]
    assert commons.asked == []


class _Interrupted:
    def titles(self, query: str) -> list[str]:
        if query == "stop":
            raise KeyboardInterrupt
        return [f"{query}.jpg"]


def test_an_interruption_keeps_what_was_found(space: Path, suggest, monkeypatch: pytest.MonkeyPatch) -> None:
    # The signal itself cannot be timed against a server: it is raised where a search would wait.
    monkeypatch.setattr(
        "pipeline.data.commons.CommonsSearch.titles", lambda _, query: _Interrupted().titles(query)
    )
    ran = suggest(labeled("a", "Can"), labeled("b", "stop"), labeled("c", "Foil"))
    assert ran.code == 130
    assert [row.url for row in rows_of(space)] == [f"{FORM}Can.jpg", "", ""]


def test_queries_are_words_without_search_operators_each_once() -> None:
    made = queries(labeled("x", 'Aluminum "Pie" Pan / -Baking Tray (insource:x)'), ["BAKING tray", "pie-pan"])
    assert made[0] == "Aluminum Pie Pan Baking Tray x"
    assert "pie-pan" in made
    assert len({query.casefold() for query in made}) == len(made)
    assert not any(mark in query for query in made for mark in '":()/')
    assert queries(labeled("photo_17")) == []


class _Everything:
    def titles(self, query: str) -> list[str]:
        if "fail" in query:
            raise DownloadError("no")
        return ["A.jpg", "B.jpg", f"{query}.jpg"]


@given(
    st.lists(
        st.builds(
            labeled,
            st.from_regex(r"(todo_negative_|retrain_|)[a-z_]{1,6}", fullmatch=True),
            st.sampled_from(["", "Tin Can", "fail", "Foil"]),
            st.sampled_from(["", "", "a.png", f"{FORM}A.jpg"]),
            st.sampled_from(["", "query=beach", "variant=1; no_match"]),
        ),
        max_size=8,
    )
)
def test_suggestions_touch_no_label_and_no_row_with_a_url_and_use_no_file_twice(
    rows: list[LabeledRow],
) -> None:
    wanted, _, _ = wanting(rows, include_previous_failures=True)
    assert all(not row.url for row in wanted)
    suggester = OnlineSuggester(_Everything(), used=used_sources(rows))  # type: ignore[arg-type]
    found: list[LabeledRow] = []
    with contextlib.suppress(DownloadError):
        found.extend(outcome.row for outcome in suggester.suggest(wanted))
    for before, after in zip(wanted, found, strict=False):
        assert (after.name, after.item_id, after.canonical_label) == (
            before.name,
            before.item_id,
            before.canonical_label,
        )
        assert after.is_negative == before.is_negative
    urls = [row.url for row in found if row.url] + [row.url for row in rows if row.url.startswith("http")][:1]
    assert len(set(urls)) == len(urls)
