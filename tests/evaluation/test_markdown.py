from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.contracts.comparison import Comparison
from pipeline.contracts.results import BenchmarkResults
from pipeline.contracts.settings import Gate
from pipeline.evaluation.compare import compare_results
from pipeline.evaluation.gate import apply_gate
from pipeline.evaluation.markdown import LIMIT, comparison_markdown, escaped

Make = Callable[..., BenchmarkResults]

HOSTILE = [
    "a | b", "`code`", "```", "<img src=x onerror=alert(1)>", "</details><h1>x", "@maintainers",
    "a@b.example", "#123", "GH-123", "owner/repo#5", "https://evil.example/x", "www.evil.example",
    "[x](javascript:alert(1))", "![x](http://evil.example/p.png)", "**bold** _it_ ~~no~~", ":smile:", "$x^2$",
    "\\| \\` \\", "&lt;b&gt; &amp;", "<!-- repath-comment -->", "deadbeefcafe", "- item", "1. item",
    "# title", "> quote", "\u202eevil", "a\u200bb",
    "&#64;everyone", "[^1]", "- [ ] task",
]  # fmt: skip


class Shown(HTMLParser):
    """The text and the tags of rendered Markdown."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("!--")


def rendered(text: str) -> Shown:
    return Shown(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))


def starts_something(text: str) -> bool:
    """Tell whether GitHub would link a mention, an issue, a commit, an address or an emoji in plain text."""
    return bool(re.search(r"@\w|#\d|(?i:gh-\d)|(?i:https?:/)|(?i:www\.)|:\w+:|[0-9a-f]{7}", text))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is_and_starts_nothing(text: str) -> None:
    shown = rendered(f"| {escaped(text)} | x |\n| --- | --- |\n| {escaped(text)} | {escaped(text)} |\n")
    assert shown.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    plain = re.sub("[\u200b\u202e]", " ", text).strip()
    visible = shown.text.replace("\u200b", "")
    assert visible.count(plain) == 3, visible
    assert not starts_something(shown.text.replace("\n", " "))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_any_text_stays_in_its_cell_and_makes_no_tag(text: str) -> None:
    shown = rendered(f"| a | b |\n| --- | --- |\n| {escaped(text)} | end |\n")
    assert shown.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert not starts_something(shown.text.replace("\n", " "))
    paragraph = rendered(f"x\n\n- y: {escaped(text)}\n")
    assert paragraph.tags == ["p", "ul", "li"]


def compared(results_of: Make, before: list[object], after: list[object]) -> Comparison:
    sides = results_of(before), results_of(after)
    made = compare_results(*sides, baseline_path="b.json", candidate_path="c.json", resamples=1000)
    return apply_gate(made, sides[1], Gate(min={"any_hit_rate": 0.9}))


def test_verdict_gate_and_moved_figures_stand_in_the_first_ten_lines(results_of: Make) -> None:
    rows = [(f"p{i}", ["Can"]) for i in range(30)]
    made = compared(results_of, [(n, e, []) for n, e in rows], [(n, e, ["Can"]) for n, e in rows])
    lines = comparison_markdown(made).splitlines()
    assert len(lines) > 20
    top = "\n".join(lines[:10])
    assert "Candidate: improved" in top
    assert "any-hit rate 0.00 → 1.00" in top
    assert "Gate: passed" in top
    assert "<details>" not in "\n".join(lines[:8])
    tags = rendered(comparison_markdown(made)).tags
    assert tags.count("details") == 5
    assert tags.count("table") == 4


def test_hostile_names_and_labels_change_nothing_around_them(results_of: Make) -> None:
    plain = [text for text in HOSTILE if "\u202e" not in text]
    rows = [(name, [name]) for name in plain]
    made = compared(results_of, [(n, e, []) for n, e in rows], [(n, e, e) for n, e in rows])
    shown = rendered(comparison_markdown(made))
    allowed = {
        "h2",
        "p",
        "strong",
        "details",
        "summary",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "ul",
        "li",
    }
    assert set(shown.tags) <= allowed
    assert shown.tags.count("details") == 5
    assert "!--" not in shown.tags
    assert not re.search(r"@\w|#\d|https?:/|www\.", shown.text)


def test_text_of_a_foreign_comparison_file_is_not_taken_over(results_of: Make) -> None:
    made = compared(results_of, [("a", ["Can"], [])], [("a", ["Can"], ["Can"])])
    assert made.statistics is not None
    assert made.gate is not None
    evil = "<script>alert(1)</script> @everyone"
    figure = made.statistics.figures[0].replace(figure=evil, verdict="improved", delta=None, baseline=None)
    foreign = made.replace(
        notes=[evil],
        baseline=evil,
        statistics=made.statistics.replace(sentence=evil, figures=[figure]),
        gate=made.gate.replace(
            passed=False,
            reasons=[made.gate.reasons[0].replace(condition=evil, words=evil, outcome="not met")],
        ),
    )
    shown = rendered(comparison_markdown(foreign))
    assert "script" not in shown.tags
    assert not re.search(r"@\w", shown.text)


def test_a_long_comparison_is_cut_at_a_row_and_says_so(results_of: Make) -> None:
    rows = [(f"picture|{i}" + "x" * 90, ["A very long label " * 3 + str(i)]) for i in range(2000)]
    made = compared(results_of, [(n, e, []) for n, e in rows], [(n, e, e) for n, e in rows])
    text = comparison_markdown(made)
    assert 50_000 < len(text) <= LIMIT
    assert re.search(r"Changed pictures \(\d+ of 2,000\)", text)
    assert "more do not fit in a comment" in text
    assert text.count("<details>") == text.count("</details>") == 5
    small = comparison_markdown(made, limit=8000)
    assert len(small) <= 8000


def test_a_first_release_has_no_verdict_and_says_why(results_of: Make) -> None:
    results = results_of([("a", ["Can"], ["Can"])])
    made = compare_results(None, results, baseline_path=None, candidate_path="c.json")
    text = comparison_markdown(apply_gate(made, results, Gate()))
    assert "this is a first release" in text.splitlines()[2]
    assert "Gate: passed" in text
