"""Train, validation and test: stratified by label, seeded, and never through a group of copies.

The division is iterative stratification (Sechidis, Tsoumakas, Vlahavas: On the Stratification of Multi-Label
Data, ECML PKDD 2011) over groups instead of single pictures: the rarest label first, each of its groups to
the subset that still lacks it most. Order comes from a digest of seed and group, not from a generator, so a
division is the same on every machine and version.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.contracts.bundle import Split, SplitEntry, Subset
from pipeline.support.errors import UsageError

METHOD = "iterative stratification over groups of copies and variants, by label"
SUBSETS: tuple[Subset, ...] = ("train", "val", "test")
NEGATIVE = "(negative)"
"""Stands for the label of a picture without any item."""


@dataclass(frozen=True, slots=True)
class SplitSample:
    """A picture by id, and every label that is on it; none makes it a negative."""

    id: str
    labels: tuple[str, ...]

    @property
    def strata(self) -> tuple[str, ...]:
        """What the division keeps in proportion."""
        return tuple(dict.fromkeys(self.labels)) or (NEGATIVE,)


@dataclass(slots=True)
class _Group:
    name: str
    strata: frozenset[str]
    size: int
    rank: str


def group_samples(
    keys: Mapping[str, Iterable[Hashable]], pairs: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """Put samples into one group that share a key or are a pair, also over third ones.

    Args:
        keys: sample id to what makes it a copy of others with the same: the digest of its bytes, its source.
        pairs: ids of two samples that look alike.

    Returns:
        Sample id to the name of its group, which is the first id in it by the alphabet.
    """
    parent = {sample: sample for sample in keys}

    def top(sample: str) -> str:
        while parent[sample] != sample:
            parent[sample] = parent[parent[sample]]
            sample = parent[sample]
        return sample

    def join(one: str, other: str) -> None:
        first, second = sorted((top(one), top(other)))
        parent[second] = first

    holder: dict[Hashable, str] = {}
    for sample in sorted(keys):
        for key in keys[sample]:
            join(holder.setdefault(key, sample), sample)
    for one, other in pairs:
        join(one, other)
    return {sample: top(sample) for sample in keys}


def split_samples(
    samples: Sequence[SplitSample],
    groups: Mapping[str, str],
    *,
    seed: int,
    val_fraction: float,
    test_fraction: float,
) -> Split:
    """Divide samples into train, val and test.

    A label with one group is in train alone; with two also in val, with three also in test. The fractions
    count groups.

    Args:
        samples: the pictures, with unique ids.
        groups: sample id to group (`group_samples`); a group stays on one side.
        seed: another seed gives another division.
        val_fraction: share of each label's groups for validation, 0..1.
        test_fraction: share of each label's groups for the test, 0..1.

    Raises:
        UsageError: the fractions leave nothing to train on.
    """
    if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
        raise UsageError(
            f"validation {val_fraction} and test {test_fraction} leave nothing to train on",
            hint="Give two shares of 0 or more whose sum is below 1.",
        )
    whole = _groups(samples, groups, seed)
    counts = Counter(label for group in whole for label in group.strata)
    subset_of = _divide(whole, counts, {"val": val_fraction, "test": test_fraction})
    entries = [
        SplitEntry(id=sample.id, subset=subset_of[groups[sample.id]], group=groups[sample.id])
        for sample in sorted(samples, key=lambda sample: sample.id)
    ]
    return Split(
        seed=seed,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        method=METHOD,
        digest=split_digest(entries),
        counts={subset: sum(entry.subset == subset for entry in entries) for subset in SUBSETS},
        warnings=_warnings(whole, counts, subset_of, wanted=_wanted(val_fraction, test_fraction)),
        entries=entries,
    )


def split_digest(entries: Sequence[SplitEntry]) -> str:
    """Return the SHA-256 that names a division: of the JSON list of ``[id, subset]``, sorted by id."""
    pairs = sorted([entry.id, entry.subset] for entry in entries)
    return hashlib.sha256(json.dumps(pairs, separators=(",", ":")).encode()).hexdigest()


def _groups(samples: Sequence[SplitSample], groups: Mapping[str, str], seed: int) -> list[_Group]:
    members: dict[str, list[SplitSample]] = {}
    for sample in samples:
        members.setdefault(groups[sample.id], []).append(sample)
    made = []
    for name, inside in members.items():
        strata = frozenset(label for sample in inside for label in sample.strata)
        rank = hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogatepass")).hexdigest()
        made.append(_Group(name, strata, len(inside), rank))
    # Large groups first: they go where most is wanted, and that is train.
    return sorted(made, key=lambda group: (-group.size, group.rank))


def _wanted(val_fraction: float, test_fraction: float) -> tuple[Subset, ...]:
    return tuple(
        subset
        for subset, fraction in zip(SUBSETS, (1.0, val_fraction, test_fraction), strict=True)
        if fraction > 0
    )


def _divide(
    groups: Sequence[_Group], counts: Counter[str], fractions: Mapping[Subset, float]
) -> dict[str, Subset]:
    lacking = {label: _shares(count, fractions) for label, count in counts.items()}
    left = list(groups)
    subset_of: dict[str, Subset] = {}
    while left:
        remaining = Counter(label for group in left for label in group.strata)
        rarest = min(remaining, key=lambda label: (remaining[label], label))
        for group in [group for group in left if rarest in group.strata]:
            subset = _neediest(lacking, group, rarest)
            subset_of[group.name] = subset
            for label in group.strata:
                lacking[label][subset] -= 1
        left = [group for group in left if rarest not in group.strata]
    _teach_every_label(groups, counts, subset_of)
    return subset_of


def _teach_every_label(groups: Sequence[_Group], labels: Iterable[str], subset_of: dict[str, Subset]) -> None:
    """Move a group to train where labels that share pictures drew all of a label's groups out of it."""
    for label in sorted(labels):
        holding = [group.name for group in groups if label in group.strata]
        if all(subset_of[name] != "train" for name in holding):
            subset_of[holding[0]] = "train"


def _shares(count: int, fractions: Mapping[Subset, float]) -> dict[Subset, float]:
    """Return how many groups of a label each subset should get: at least one where there are enough."""
    shares: dict[Subset, float] = dict.fromkeys(SUBSETS, 0.0)
    spare = count - 1  # train comes first
    for subset, fraction in fractions.items():
        if fraction > 0 and spare >= 1:
            shares[subset] = min(max(fraction * count, 1.0), spare)
            spare -= int(shares[subset])
    shares["train"] = count - shares["val"] - shares["test"]
    return shares


def _neediest(lacking: Mapping[str, Mapping[Subset, float]], group: _Group, label: str) -> Subset:
    def need(subset: Subset) -> tuple[float, float, int]:
        others = sum(lacking[other][subset] for other in group.strata)
        return lacking[label][subset], others, -SUBSETS.index(subset)

    return max(SUBSETS, key=need)


def _warnings(
    groups: Sequence[_Group],
    counts: Counter[str],
    subset_of: Mapping[str, Subset],
    *,
    wanted: Sequence[Subset],
) -> list[str]:
    warnings = []
    for label in sorted(counts):
        held = {subset_of[group.name] for group in groups if label in group.strata}
        missing = [subset for subset in wanted if subset not in held]
        if missing:
            pictures = "one picture" if counts[label] == 1 else f"{counts[label]} pictures"
            warnings.append(
                f"too small to split: {label} has {pictures} that are no copies of each other, so "
                f"{' and '.join(missing)} {'has' if len(missing) == 1 else 'have'} none of it"
            )
    empty = [subset for subset in wanted if subset not in subset_of.values()]
    if empty:
        warnings.insert(0, f"too small to split: there is no picture for {' and '.join(empty)}")
    return warnings
