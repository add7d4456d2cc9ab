"""Every pair of hashes within a distance, and no other, whichever way it is looked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.support import near_pairs as near
from pipeline.support.near_pairs import NearPairs, near_pairs
from pipeline.support.phash import distance

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=40)


def brute(a: list[int], b: list[int], limit: int) -> set[tuple[int, int, int]]:
    return {
        (i, j, distance(x, y)) for i, x in enumerate(a) for j, y in enumerate(b) if distance(x, y) <= limit
    }


def as_set(pairs: NearPairs) -> set[tuple[int, int, int]]:
    return set(zip(pairs.a.tolist(), pairs.b.tolist(), pairs.distance.tolist(), strict=True))


@given(HASHES, HASHES, st.integers(0, 64))
def test_near_pairs_are_those_that_brute_force_finds(a: list[int], b: list[int], limit: int) -> None:
    assert as_set(near_pairs(a, b, max_distance=limit)) == brute(a, b, limit)
    assert as_set(near_pairs(a, max_distance=limit)) == {
        pair for pair in brute(a, a, limit) if pair[0] < pair[1]
    }


@given(st.integers(0, 2**32 - 1), st.integers(0, 13))
@settings(max_examples=20, deadline=None)
def test_the_search_by_bands_misses_no_pair(seed: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2**64, 30, dtype=np.uint64, endpoint=False)
    b = np.concatenate([a, rng.integers(0, 2**64, 10, dtype=np.uint64, endpoint=False)])
    for index in range(len(a)):  # a known number of bits of each is turned
        for bit in rng.choice(64, size=int(rng.integers(0, 16)), replace=False):
            b[index] ^= np.uint64(1) << np.uint64(bit)
    width = len(b)
    keys = [*near._banded(a, b, limit, each_once=False)]
    found = {divmod(int(key), width) for part in keys for key in part}
    assert found == {pair[:2] for pair in brute(a.tolist(), b.tolist(), limit)}
    keys = [*near._banded(b, b, limit, each_once=True)]
    found = {divmod(int(key), width) for part in keys for key in part}
    assert found == {pair[:2] for pair in brute(b.tolist(), b.tolist(), limit) if pair[0] < pair[1]}


def test_both_searches_find_the_same_among_many_hashes() -> None:
    rng = np.random.default_rng(7)
    hashes = rng.integers(0, 2**64, 20_000, dtype=np.uint64, endpoint=False)
    hashes[10_000:10_050] = hashes[:50] ^ np.uint64(0b1011)
    pairs = near_pairs(hashes, max_distance=7)
    assert {(i, i + 10_000, 3) for i in range(50)} <= as_set(pairs)
    assert as_set(near_pairs(hashes[:2000], hashes, max_distance=7)) >= {
        (i, i + 10_000, 3) for i in range(50)
    }


def test_no_hashes_have_no_pairs() -> None:
    assert as_set(near_pairs([], [], max_distance=8)) == set()
    assert as_set(near_pairs([1], [], max_distance=8)) == set()
    assert as_set(near_pairs([], max_distance=64)) == set()
