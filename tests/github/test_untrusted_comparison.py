"""What a fork's run says reaches a pull request as text: artefact, contract, Markdown, comment."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from candidate_files import comparison_data
from github_server import REPO, FakeGitHub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.github.comment import MAX_BODY, Place

PLACE = Place(REPO, 7, "benchmark", "Pull request")
DIGESTS = dict.fromkeys(("model", "labels", "manifest"), "a" * 64)
EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "@everyone and @someone/team",
    "#1 GH-2 someone/some-model#3",
    "[click](https://evil.example.org)",
    "![x](https://evil.example.org/x.png)",
    "https://evil.example.org www.evil.example.org",
    "| a | b |\\n| --- | --- |",
    "</details><details open>",
    "```\\n::error::x\\n```",
    "**bold** _it_ ~~s~~ `code` $x$ :tada:",
    PLACE.marker,
    "<!-- repath-model:comment repository=x workflow=y label=z -->",
    "deadbeefdeadbeef",
    "\u202eevil\u200b\u2066",
]
MARKS = [
    re.compile(pattern)
    for pattern in (
        r"<(?!/?details>|/?summary>|!-- repath-model:comment repository=someone/)",
        r"@[a-z]",
        r"!?\]\(",
        r"https?://",
        r"www\.",
        r"(?<!&)#\d",
        r"GH-\d",
        r"~~",
        r"\$x",
        r":tada:",
        r"deadbeef",
        "[\u202e\u2066]",
    )
]
"""What would be markup, a mention, a reference or a link, or turn the direction of writing."""


def hostile(words: str) -> dict[str, Any]:
    """Return a comparison that says ``words`` wherever text may stand."""
    data = comparison_data(DIGESTS, sentence=words)
    data.update(baseline=words, candidate=words, notes=[words], digests={words: {words: "b" * 64}})
    data["statistics"]["figures"][0].update(figure=words, test=words)
    change = {
        "name": words, "url": words, "kind": "newly_missed", "kinds": ["newly_missed"], "expected": [words],
        "baseline_labels": [words], "candidate_labels": [words], "importance": 1.0,
    }  # fmt: skip
    label = {
        "label": words, "cases": 1, "baseline_hits": 1, "candidate_hits": 0, "gained": 0, "lost": 1,
        "p_value": 1.0, "p_holm": 1.0, "verdict": "cannot tell",
    }  # fmt: skip
    data["changes"] = [change]
    data["statistics"]["labels"] = [label]
    data["gate"] = {"passed": False, "reasons": [{"condition": words, "outcome": "not met", "words": words}]}
    return data


def comment_of(repath: Any, api: FakeGitHub, folder: Path, data: Any) -> str:
    """Go the way of the workflow that comments, and return the comment."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("comparison.json", json.dumps(data))
    api.add_artifact(5, "comparison", buffer.getvalue())
    call = ("github", "fetch-artifact", "--repo", REPO, "--run-id", 5, "--name", "comparison")
    assert repath(*call, "--out-dir", folder / "artefact").code == 0
    body = folder / "comment.md"
    comparison = folder / "artefact" / "comparison.json"
    rendered = repath("evaluation", "render-comparison", "--comparison", comparison, "--markdown", body)
    assert rendered.code == 0, rendered.err
    kept = repath(
        "github", "comment", "--repo", REPO, "--pr", 7, "--label", PLACE.label, "--workflow", PLACE.workflow,
        "--body-file", body,
    )  # fmt: skip
    assert kept.code == 0, kept.err
    [comment] = api.comments.values()
    text: str = comment["body"]
    return text


def assert_harmless(text: str) -> None:
    assert text.startswith(f"{PLACE.marker}\n")
    assert text.count("<!--") == 1
    assert len(text.encode("utf-16-le")) // 2 <= MAX_BODY
    for mark in MARKS:
        assert mark.search(text) is None, (mark.pattern, mark.search(text))
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize("words", EVIL)
def test_what_an_untrusted_run_says_is_text(
    on_api: FakeGitHub, repath: Any, tmp_path: Path, words: str
) -> None:
    text = comment_of(repath, on_api, tmp_path, hostile(words.replace("\\n", " ")))
    assert_harmless(text)
    assert "**Gate: no.**" in text


def test_a_label_with_a_line_break_breaks_its_contract(repath: Any, tmp_path: Path) -> None:
    path, out = tmp_path / "c.json", tmp_path / "c.md"
    path.write_text(json.dumps(hostile("a\n<!-- repath-model:comment -->")))
    ran = repath("evaluation", "render-comparison", "--comparison", path, "--markdown", out)
    assert (ran.code, out.exists()) == (1, False)
    assert "one line" in ran.err


def test_the_sentence_is_made_of_the_figures_and_not_believed(
    on_api: FakeGitHub, repath: Any, tmp_path: Path
) -> None:
    text = comment_of(repath, on_api, tmp_path, comparison_data(DIGESTS, sentence="Merge me at once."))
    assert "Merge me" not in text
    assert "The candidate is better: recall 0.50 → 0.70" in text


def test_thousands_of_rows_fit_in_one_comment(on_api: FakeGitHub, repath: Any, tmp_path: Path) -> None:
    data = hostile("<b>@everyone</b> " * 8)
    data["changes"] *= 3000
    data["notes"] *= 3000
    data["statistics"]["labels"] *= 3000
    data["statistics"]["figures"] *= 3000
    data["gate"]["reasons"] *= 3000
    assert_harmless(comment_of(repath, on_api, tmp_path, data))


@pytest.mark.parametrize(
    "change",
    [
        {"statistics": {"verdict": "<b>"}},
        {"gate": {"passed": "yes", "reasons": []}},
        {"overlap": None},
        {"digests": {"candidate": {"model": "x" * 64}}},
        {"baseline": 7},
    ],
)
def test_what_is_no_comparison_is_refused(repath: Any, tmp_path: Path, change: dict[str, Any]) -> None:
    path, out = tmp_path / "c.json", tmp_path / "c.md"
    path.write_text(json.dumps({**hostile("x"), **change}))
    ran = repath("evaluation", "render-comparison", "--comparison", path, "--markdown", out)
    assert (ran.code, out.exists()) == (1, False)


numbers = st.integers() | st.floats() | st.none() | st.just(10**400) | st.just(-(10**400))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.sampled_from(EVIL) | st.text(max_size=30), min_size=1, max_size=3).map("".join),
    values=st.lists(numbers, min_size=8, max_size=8),
)
def test_any_numbers_and_words_give_markdown_or_an_error_in_words(
    repath: Any, tmp_path: Path, words: str, values: list[Any]
) -> None:
    data = hostile(words)
    figure = data["statistics"]["figures"][0]
    names = (
        "baseline",
        "candidate",
        "delta",
        "p_value",
        "smallest_detectable",
        "more_pictures",
        "cases",
        "margin",
    )
    figure.update(zip(names, values, strict=True))
    path, out = tmp_path / "c.json", tmp_path / "c.md"
    out.unlink(missing_ok=True)
    path.write_text(json.dumps(data))
    ran = repath("evaluation", "render-comparison", "--comparison", path, "--markdown", out)
    assert ran.code in {0, 1}
    assert "Traceback" not in ran.err
    if ran.code == 0:
        assert "<script" not in out.read_text()
