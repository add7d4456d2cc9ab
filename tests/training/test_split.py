from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.bundle import Split
from pipeline.support.errors import UsageError
from pipeline.training.split import NEGATIVE, SplitSample, group_samples, split_digest, split_samples


def alone(samples: list[SplitSample]) -> dict[str, str]:
    return {sample.id: sample.id for sample in samples}


def divided(samples: list[SplitSample], groups: dict[str, str] | None = None, seed: int = 0) -> Split:
    return split_samples(samples, groups or alone(samples), seed=seed, val_fraction=0.15, test_fraction=0.15)


def many(label: str, count: int) -> list[SplitSample]:
    labels = () if label == NEGATIVE else (label,)
    return [SplitSample(f"{label}-{n:03}", labels) for n in range(count)]


def counts(split: Split, prefix: str) -> dict[str, int]:
    return dict(Counter(entry.subset for entry in split.entries if entry.id.startswith(prefix)))


def test_every_label_and_the_negatives_keep_their_proportion() -> None:
    split = divided([*many("Foil", 100), *many("Tin", 40), *many(NEGATIVE, 20)])
    assert counts(split, "Foil") == {"train": 70, "val": 15, "test": 15}
    assert counts(split, "Tin") == {"train": 28, "val": 6, "test": 6}
    assert counts(split, NEGATIVE) == {"train": 14, "val": 3, "test": 3}
    assert split.counts == {"train": 112, "val": 24, "test": 24}
    assert split.warnings == []


@pytest.mark.parametrize(
    ("count", "expected", "lacking"),
    [
        (1, {"train": 1}, "val and test have none"),
        (2, {"train": 1, "val": 1}, "test has none"),
        (3, {"train": 1, "val": 1, "test": 1}, ""),
        (5, {"train": 3, "val": 1, "test": 1}, ""),
    ],
)
def test_a_label_with_few_pictures_is_trained_first_and_what_lacks_is_named(
    count: int, expected: dict[str, int], lacking: str
) -> None:
    split = divided([*many("Rare", count), *many("Foil", 50)])
    assert counts(split, "Rare") == expected
    if lacking:
        assert [w for w in split.warnings if "Rare" in w and lacking in w and "too small to split" in w]
    else:
        assert split.warnings == []


def test_copies_count_once_so_that_a_label_of_one_scene_is_only_trained() -> None:
    samples = [*many("Rare", 6), *many("Foil", 50)]
    groups = alone(samples) | {sample.id: "Rare-000" for sample in samples[:6]}
    split = divided(samples, groups)
    assert counts(split, "Rare") == {"train": 6}
    assert any("Rare has one picture" in warning for warning in split.warnings)


def test_a_bundle_of_one_picture_says_that_it_is_too_small() -> None:
    split = divided(many("Foil", 1))
    assert split.counts == {"train": 1, "val": 0, "test": 0}
    assert split.warnings[0] == "too small to split: there is no picture for val and test"


def test_a_label_that_others_would_draw_out_of_training_is_still_trained() -> None:
    samples = []
    for n in range(6):
        samples += [SplitSample(f"a{n}", (f"A{n}",)), SplitSample(f"b{n}", (f"A{n}", "B"))]
    for seed in range(30):
        split = divided(samples, seed=seed)
        trained = {entry.id for entry in split.entries if entry.subset == "train"}
        assert trained & {f"b{n}" for n in range(6)}


def test_another_seed_gives_another_division_and_the_same_the_same() -> None:
    samples = many("Foil", 60)
    first, again, other = divided(samples), divided(list(reversed(samples))), divided(samples, seed=1)
    assert first == again
    assert first.digest != other.digest


def test_the_digest_names_the_division_and_nothing_else() -> None:
    split = divided(many("Foil", 10))
    assert split.digest == split_digest(list(reversed(split.entries)))
    moved = [split.entries[0].replace(subset="test"), *split.entries[1:]]
    assert split_digest(moved) != split.digest


@pytest.mark.parametrize(("val", "test"), [(0.5, 0.5), (0.9, 0.2), (-0.1, 0.1)])
def test_fractions_that_leave_nothing_to_train_on_are_refused(val: float, test: float) -> None:
    samples = many("Foil", 10)
    with pytest.raises(UsageError, match="leave nothing to train on"):
        split_samples(samples, alone(samples), seed=0, val_fraction=val, test_fraction=test)


def test_without_a_test_fraction_there_is_no_test_and_no_warning() -> None:
    samples = many("Foil", 10)
    split = split_samples(samples, alone(samples), seed=0, val_fraction=0.2, test_fraction=0)
    assert split.counts == {"train": 8, "val": 2, "test": 0}
    assert split.warnings == []


def test_samples_are_one_group_also_over_a_third_one() -> None:
    keys = {"a": ["x"], "b": ["x", "y"], "c": ["y"], "d": [], "e": [], "f": ["z"]}
    groups = group_samples(keys, [("f", "e")])
    assert groups == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e", "f": "e"}


SAMPLES = st.lists(
    st.tuples(st.lists(st.sampled_from("ABCD"), max_size=3, unique=True), st.integers(0, 30)),
    min_size=1,
    max_size=60,
)


@given(SAMPLES, st.integers(0, 5), st.floats(0, 0.4), st.floats(0, 0.4))
def test_whatever_the_samples_groups_stay_whole_and_every_label_is_trained(
    given_samples: list[tuple[list[str], int]], seed: int, val: float, test: float
) -> None:
    samples = [SplitSample(f"s{n}", tuple(labels)) for n, (labels, _) in enumerate(given_samples)]
    keys = {f"s{n}": [key] if key < 15 else [] for n, (_, key) in enumerate(given_samples)}
    groups = group_samples(keys)
    split = split_samples(samples, groups, seed=seed, val_fraction=val, test_fraction=test)
    subset_of = {entry.id: entry.subset for entry in split.entries}
    assert set(subset_of) == {sample.id for sample in samples}
    by_group: dict[str, set[str]] = {}
    for sample_id, group in groups.items():
        by_group.setdefault(group, set()).add(subset_of[sample_id])
    assert all(len(subsets) == 1 for subsets in by_group.values())
    trained = {label for sample in samples if subset_of[sample.id] == "train" for label in sample.strata}
    assert trained == {label for sample in samples for label in sample.strata}
    assert sum(split.counts.values()) == len(samples)
