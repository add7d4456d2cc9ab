"""Every message that the troubleshooting page explains is one that the program can say, and some are said."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import shown

import pipeline

Repath = Callable[..., Any]
PAGE = shown.ROOT / "docs" / "troubleshooting.md"
HEADINGS = re.findall(r"^### `(.+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
OF_CLICK = {"Missing option '--…'."}
"""What the command line's library says."""
LEAST_SHARE = 0.4
"""Share of a heading's letters that must be the program's own words, and not what they are filled with."""


def _texts(tree: ast.AST) -> Iterator[list[str]]:
    """Yield every text of a source, cut where an f-string fills something in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield [node.value]
        elif isinstance(node, ast.JoinedStr):
            parts = [""]
            for value in node.values:
                if isinstance(value, ast.Constant):
                    parts[-1] += str(value.value)
                else:
                    parts.append("")
            yield parts


@cache
def _messages() -> list[tuple[re.Pattern[str], int]]:
    """Return each text of the program as a pattern of what it may come to, with the letters of its own."""
    found = set()
    for path in sorted(Path(pipeline.__file__).parent.rglob("*.py")):
        for parts in _texts(ast.parse(path.read_text(encoding="utf-8"))):
            broken = next((number for number, part in enumerate(parts) if "\n" in part), len(parts))
            found.add(tuple(part.split("\n")[0] for part in parts[: broken + 1]))
    return [
        (re.compile("(.*)".join(map(re.escape, parts)), re.DOTALL), sum(map(_letters, parts)))
        for parts in sorted(found)
        if sum(map(_letters, parts)) >= 4
    ]


def _letters(words: str) -> int:
    return sum(each.isalnum() for each in words)


def _is_said(heading: str) -> bool:
    needed = LEAST_SHARE * _letters(heading)
    return any(own >= needed and pattern.fullmatch(heading) for pattern, own in _messages())


def test_there_are_entries_and_none_twice() -> None:
    assert len(HEADINGS) >= 40
    assert len(set(HEADINGS)) == len(HEADINGS)


@pytest.mark.parametrize("heading", [each for each in HEADINGS if each not in OF_CLICK])
def test_a_message_that_is_explained_is_one_of_the_program_s(heading: str) -> None:
    assert _is_said(heading), f"no text of the program comes to: {heading}"


@pytest.mark.parametrize(
    "invented", ["the moon is full", "… holds no moon and no stars at all", "the gate says perhaps:", "…: …"]
)
def test_an_invented_message_is_none_of_the_program_s(invented: str) -> None:
    assert not _is_said(invented)


CASES = {
    "run --workspace nowhere": "… holds no repath.toml",
    "data build-taxonomy": "Missing option '--…'.",
    "data build-taxonomy --pack no.json --out t.json": "… does not exist",
    "data build-taxonomy --pack bad.json --out t.json": "…: not JSON at line …, column …: …",
    "data normalize-benchmark-labeled-urls --input latin.csv": "…: not UTF-8 at line … (byte …)",
    "data normalize-benchmark-labeled-urls --input short.csv": "the column … is missing",
    "init full": "… is not empty: it holds …",
    "training check-model --model bad.json --labels labels.json": "… is not a TFLite file",
    "training build-retraining-manifest --input mixed.csv --out r.json": (
        "a negative has no label, and this one has …"
    ),
    "training build-annotation-bundle --manifest none.json --out-dir b": "… holds no samples",
    "github publish-release --repo a/b --manifest m.json": "this needs a token",
    "evaluation merge-benchmark-results bad.json --out r.json": "…: not JSON at line …, column …: …",
    "data suggest-benchmark-from-kaggle --manifest seed.json --cache-dir c --merge-into l.csv": (
        "the class folders are not known"
    ),
}
"""What is typed in a folder of broken files, and the entry that it should lead to."""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of files with a fault each; the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    head = "name,url,item_id,canonical_label,source,notes\n"
    for name, content in {
        "bad.json": b"{",
        "labels.json": b'["Aluminum Can"]',
        "latin.csv": (head + "a,,,Caf\xe9,s,\n").encode("latin-1"),
        "short.csv": b"name,url\na,b\n",
        "mixed.csv": (head + "retrain_negative_can_v1,a.jpg,,Aluminum Can,s,\n").encode(),
        "none.json": (
            b'{"generated_at": "", "source_csv": "", "sample_count": 0, "positive_count": 0, '
            b'"negative_count": 0, "samples": []}'
        ),
        "seed.json": b'{"name": "seed", "images": []}',
        "full/a": b"",
    }.items():
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("typed", CASES)
def test_what_goes_wrong_leads_to_its_entry(typed: str, repath: Repath) -> None:
    heading = CASES[typed]
    assert heading in HEADINGS
    from release_files import write_bundle

    words = typed.replace("m.json", str(write_bundle(Path("dist")))) if "m.json" in typed.split() else typed
    ran = repath(*words.split())
    assert ran.code != 0
    said = " ".join(ran.err.split())
    assert re.search(".*".join(map(re.escape, " ".join(heading.split()).split("…"))), said), ran.err


def test_every_issue_of_a_bundle_is_explained() -> None:
    from typing import get_args

    from pipeline.contracts import bundle

    issues = get_args(bundle.IssueKind)
    assert issues
    assert [issue for issue in issues if f"`{issue}`" not in PAGE.read_text(encoding="utf-8")] == []
