"""The verdict as Markdown for a pull request and a job summary, safe with any label or name.

GitHub takes 65,536 characters for a comment. What does not fit is cut at a row, and the text says how many
rows are left out. The verdict and the figures that moved stand in the first ten lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.contracts.comparison import (
    Comparison,
    FigureVerdict,
    GateReport,
    LabelChange,
    PictureChange,
    Statistics,
)
from pipeline.evaluation.verdict import name_of, sentence_of

LIMIT = 65_536
_ROOM_FOR_TAIL = 600
"""Kept free for closing tags and for saying what was cut."""
_MAX_CELL = 120

_SIGNS = {"improved": "🟢", "regressed": "🔴", "equivalent": "⚪", "cannot tell": "🟡"}
_KINDS = {
    "newly_missed": "newly missed",
    "new_false_alarm": "new false alarm",
    "changed_label": "changed label",
    "newly_found": "newly found",
    "gone_false_alarm": "false alarm gone",
}

# Characters that mean something to Markdown or HTML become numeric references, which are never syntax. GitHub
# looks for mentions, issues, commits, links and emoji in the text that results, so what starts one of these
# is followed by a zero-width space (as Renovate does with release notes).
_SPECIAL = re.compile(r"[^\w ,;%()=?–→…'’\"]|_")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
_TRIGGER = re.compile(r"[@#:]")
_AUTOLINK = re.compile(r"(?i)(?<![a-z0-9])(w)(?=ww\.)|(?<![a-z0-9])(g)(?=h-\d)")
_COMMIT = re.compile(r"(?i)[0-9a-f]{6}(?=[0-9a-f])")
"""GitHub takes seven hexadecimal digits for a commit."""
_BREAK = "\u200b"


def escaped(text: str, *, limit: int = _MAX_CELL) -> str:
    """Return text that GitHub shows as it is: no markup, HTML, mention, reference or link comes of it.

    Longer text is cut; characters that are not seen or turn the direction of writing become a space.
    """
    text = _INVISIBLE.sub(" ", text).strip()
    if len(text) > limit:
        text = f"{text[: limit - 1]}…"
    for pattern in (_TRIGGER, _AUTOLINK, _COMMIT):
        text = pattern.sub(lambda match: match[0] + _BREAK, text)
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", text)


def comparison_markdown(comparison: Comparison, *, limit: int = LIMIT) -> str:
    """Return the comparison as Markdown of at most ``limit`` characters."""
    parts = [_head(comparison)]
    judged = comparison.statistics
    if comparison.gate is not None:
        parts.append(_gate(comparison.gate))
    if judged is not None:
        parts.append(_figures(judged))
    tables = [
        ("Changed pictures", _PICTURES, [_picture(change) for change in comparison.changes or []]),
        ("Labels", _LABELS, [_label(change) for change in _moved_labels(judged)]),
    ]
    tail = _provenance(comparison)
    used = sum(len(part) + 1 for part in parts) + len(tail) + 1
    for title, header, rows in tables:
        if rows:
            table = _folded_table(title, header, rows, room=limit - _ROOM_FOR_TAIL - used)
            parts.append(table)
            used += len(table) + 1
    return "\n".join([*parts, tail])


def _head(comparison: Comparison) -> str:
    """Verdict, gate and moved figures, in ten lines at most."""
    judged = comparison.statistics
    if judged is None:
        lines = ["## No verdict", "", _without_verdict(comparison)]
    else:
        title = judged.verdict if judged.verdict != "cannot tell" else "cannot tell the two apart"
        lines = [
            f"## {_SIGNS[judged.verdict]} Candidate: {title}",
            "",
            sentence_of(judged.verdict, judged.figures),
        ]
    if comparison.gate is not None:
        lines.append("")
        lines.append(
            "**Gate: passed.**" if comparison.gate.passed else f"**Gate: no.** {_why(comparison.gate)}"
        )
    moved = (
        [figure for figure in judged.figures if figure.verdict in {"improved", "regressed"}] if judged else []
    )
    if moved:
        brief = (f"{_SIGNS[figure.verdict]} {name_of(figure)} {_signed(figure.delta)}" for figure in moved)
        lines += ["", " · ".join(brief)]
    return "\n".join([*lines, ""])


def _without_verdict(comparison: Comparison) -> str:
    if comparison.baseline is None:
        return "There is no baseline to compare with: this is a first release, and the floors alone apply."
    return "The two results have no picture in common."


def _why(report: GateReport) -> str:
    against = [reason.words for reason in report.reasons if reason.outcome != "met"]
    shown = "; ".join(escaped(words, limit=300) for words in against[:3])
    return f"{shown}; and {len(against) - 3} more" if len(against) > 3 else shown


def _gate(report: GateReport) -> str:
    rows = [
        [reason.outcome, escaped(reason.condition), escaped(reason.words, limit=400)]
        for reason in report.reasons
    ]
    return _folded("Gate", _table(["", "condition", ""], rows)) if rows else ""


def _figures(judged: Statistics) -> str:
    method = judged.method
    rows = [
        [
            name_of(figure),
            _number(figure.baseline),
            _number(figure.candidate),
            _signed(figure.delta),
            _interval(figure),
            f"{figure.p_value:.3g}" if figure.p_value is not None else "–",
            str(figure.cases),
            f"{_SIGNS[figure.verdict]} {figure.verdict}",
            _number(figure.smallest_detectable),
        ]
        for figure in judged.figures
    ]
    header = [
        "figure",
        "baseline",
        "candidate",
        "change",
        "95% interval",
        "p",
        "pictures",
        "verdict",
        "could show",
    ]
    said = (
        f"\nPaired bootstrap over pictures, {method.resamples:,} resamples, seed {method.seed}; exact "
        "McNemar for any-hit and negative-clean, a paired randomisation test for the others. “Could show” "
        "is the smallest change that these pictures show four times in five.\n"
    )
    return _folded("Figures", _table(header, rows) + said)


_PICTURES = ["picture", "change", "expected", "baseline", "candidate"]
_LABELS = ["label", "pictures", "baseline found", "candidate found", "gained", "lost", "p (Holm)"]


def _picture(change: PictureChange) -> list[str]:
    return [
        escaped(change.name),
        ", ".join(_KINDS[kind] for kind in change.kinds),
        _list(change.expected) or "nothing",
        _list(change.baseline_labels) or "–",
        _list(change.candidate_labels) or "–",
    ]


def _label(change: LabelChange) -> list[str]:
    numbers = (change.cases, change.baseline_hits, change.candidate_hits, change.gained, change.lost)
    holm = "–" if change.p_holm is None else f"{change.p_holm:.3g}"
    return [escaped(change.label), *(str(number) for number in numbers), holm]


def _moved_labels(judged: Statistics | None) -> list[LabelChange]:
    labels = judged.labels if judged else []
    moved = [change for change in labels if change.gained or change.lost]
    return sorted(moved, key=lambda change: (change.candidate_hits - change.baseline_hits, change.label))


def _provenance(comparison: Comparison) -> str:
    lines = [f"- Baseline: {escaped(comparison.baseline or 'none', limit=300)}"]
    lines.append(f"- Candidate: {escaped(comparison.candidate, limit=300)}")
    lines.append(f"- Pictures measured on both sides: {comparison.overlap.rows:,}")
    lines += [f"- ⚠️ {escaped(words, limit=300)}" for words in comparison.notes[:10]]
    for side, digests in (comparison.digests or {}).items():
        said = ", ".join(f"{escaped(kind)} `{digest[:12]}`" for kind, digest in digests.items() if digest)
        lines += [f"- SHA-256 of the {escaped(side)}: {said}"] if said else []
    return _folded("What was compared", "\n".join(lines) + "\n")


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n</details>\n"


def _folded_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, room: int) -> str:
    """Fold a table away, with as many rows as there is room for; say how many are left out."""
    frame = len(_folded(title, _table(header, []))) + 100
    kept = []
    for row in rows:
        frame += len(_line(row)) + 1
        if frame > room:
            break
        kept.append(row)
    left = len(rows) - len(kept)
    count = f"{len(kept):,} of {len(rows):,}" if left else f"{len(rows):,}"
    note = f"\n{left:,} more do not fit in a comment; the comparison file holds them all.\n" if left else ""
    return _folded(f"{title} ({count})", _table(header, kept) + note)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([_line(header), _line(["---"] * len(header)), *(_line(row) for row in rows), ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _list(labels: Sequence[str]) -> str:
    shown = ", ".join(escaped(label, limit=60) for label in labels[:8])
    return f"{shown}, …" if len(labels) > 8 else shown


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.4g}"


def _interval(figure: FigureVerdict) -> str:
    if figure.interval is None:
        return "–"
    return f"{figure.interval[0]:+.3f} to {figure.interval[1]:+.3f}"
