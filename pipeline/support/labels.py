"""Labels that a taxonomy lacks: named once each, with where they stand and what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.contracts.base import shown
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.contracts.text import normalized_alias
from pipeline.support.errors import UnknownLabelError

NAMED = 20
"""Unknown labels that a message names; the rest are counted."""
NEAREST = 3
_CUTOFF = 0.6


@dataclass(slots=True)
class _Unknown:
    first: str
    rows: int = 1


def require_known_labels(
    taxonomy: Taxonomy, named: Iterable[tuple[str, str]], *, source: str, allow_unknown: bool
) -> list[str]:
    """Check that every label is a canonical label of the taxonomy.

    Args:
        taxonomy: the labels that are known.
        named: where a label stands in words (``line 12 (retrain_foil_v1)``), and the label.
        source: the file that names them, for the message.
        allow_unknown: return the sentences as warnings and go on.

    Returns:
        One sentence for each unknown label, in the order met; empty where all are known.

    Raises:
        UnknownLabelError: there are unknown labels and they are not allowed.
    """
    known = {entry.canonical_label for entry in taxonomy.vision_classes}
    unknown: dict[str, _Unknown] = {}
    for where, label in named:
        if label in known:
            continue
        met = unknown.get(label)
        if met is None:
            unknown[label] = _Unknown(where)
        else:
            met.rows += 1
    if not unknown:
        return []
    sentences = _sentences(taxonomy, unknown)
    if allow_unknown:
        return [f"{source}: {sentence}" for sentence in sentences]
    count = "one label is" if len(unknown) == 1 else f"{len(unknown)} labels are"
    raise UnknownLabelError(
        "\n".join([f"{source}: {count} not in the taxonomy", *(f"  {sentence}" for sentence in sentences)]),
        hint="Correct the label, add it to the pack and build the taxonomy again, or go on with "
        "--allow-unknown-labels (in repath.toml: allow_unknown = true under [labels]).",
    )


def nearest_labels(taxonomy: Taxonomy, label: str, *, count: int = NEAREST) -> list[str]:
    """Return what may have been meant by ``label``, the best first: labels, with the alias that is near.

    First come the labels that have it as an alias, then those whose own name or alias is spelt much alike,
    then those that share its words.
    """
    return _Nearest(taxonomy).find(label, count)


def _sentences(taxonomy: Taxonomy, unknown: dict[str, _Unknown]) -> list[str]:
    nearest = _Nearest(taxonomy)
    sentences = []
    for label, met in list(unknown.items())[:NAMED]:
        rows = (
            "" if met.rows == 1 else f" and {met.rows - 1} more rows" if met.rows > 2 else " and one more row"
        )
        near = nearest.find(label, NEAREST)
        advice = f"nearest: {', '.join(near)}" if near else "nothing in the taxonomy is near it"
        sentences.append(f"{met.first}{rows}: the label {shown(label)} is unknown; {advice}")
    rest = len(unknown) - NAMED
    if rest > 0:
        sentences.append(f"… and {rest} more unknown labels")
    return sentences


class _Nearest:
    """Looks labels up by alias, by spelling and by their words; built once for a message."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.holders: dict[str, list[tuple[str, str]]] = {}
        """Normalised name or alias to the labels that have it, each with the alias as written."""
        self.words: dict[str, list[str]] = {}
        for entry in taxonomy.vision_classes:
            for alias in [entry.canonical_label, *entry.aliases]:
                key = normalized_alias(alias)
                holders = self.holders.setdefault(key, [])
                if not any(label == entry.canonical_label for label, _ in holders):
                    holders.append((entry.canonical_label, alias))
        for key in self.holders:
            for word in set(key.split()):
                self.words.setdefault(word, []).append(key)

    def find(self, label: str, count: int) -> list[str]:
        key = normalized_alias(label)
        words = set(key.split())
        found: dict[str, str] = {}
        for near in [key, *self._spelt_alike(key), *self._sharing(words)]:
            for canonical, alias in self.holders.get(near, []):
                found.setdefault(canonical, alias)
            if len(found) >= count:
                break
        return [
            shown(canonical) if canonical == alias else f"{shown(canonical)} (alias {shown(alias)})"
            for canonical, alias in list(found.items())[:count]
        ]

    def _spelt_alike(self, key: str) -> list[str]:
        return difflib.get_close_matches(key, self.holders, n=NEAREST, cutoff=_CUTOFF)

    def _sharing(self, words: set[str]) -> list[str]:
        shared: dict[str, int] = {}
        for word in words:
            for key in self.words.get(word, []):
                shared[key] = shared.get(key, 0) + 1
        return sorted(shared, key=lambda key: (-shared[key], len(key), key))[: 10 * NEAREST]
