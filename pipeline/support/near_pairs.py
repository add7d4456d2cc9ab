"""All pairs of 64-bit hashes that differ in few bits, by multi-index hashing on 16-bit bands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BANDS = 4
_CHUNK = 1 << 20
"""Pairs looked at in one go."""


class NearPairs(NamedTuple):
    """Pairs ordered by ``a``, then ``b``: positions in the two lists (int64) and distance in bits (uint8)."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    distance: NDArray[np.uint8]


def near_pairs(
    hashes_a: Sequence[int] | NDArray[np.uint64],
    hashes_b: Sequence[int] | NDArray[np.uint64] | None = None,
    *,
    max_distance: int,
) -> NearPairs:
    """Return all pairs of hashes that differ in at most ``max_distance`` bits.

    Multi-index hashing (Norouzi, Punjani, Fleet, "Fast Exact Search in Hamming Space with Multi-Index
    Hashing", 2014): with four bands of 16 bits, two hashes within distance ``4q + r`` are within ``q`` in one
    of the first ``r + 1`` bands or within ``q - 1`` in another. Exact: no pair is missed.

    Args:
        hashes_a: 64-bit hashes.
        hashes_b: the other side; None compares the hashes with each other, each pair once with ``a < b``.
        max_distance: bits, 0..64.
    """
    import numpy as np

    a = np.asarray(hashes_a, dtype=np.uint64)
    b = a if hashes_b is None else np.asarray(hashes_b, dtype=np.uint64)
    probes = sum(comb(16, count) for radius in _radii(max_distance) for count in range(radius + 1))
    # A bucket costs about as much as looking straight at this many pairs.
    found = _banded if probes * 64 < len(b) else _all_against_all
    parts = list(found(a, b, max_distance, each_once=hashes_b is None))
    keys = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *parts]))
    left, right = np.divmod(keys, max(len(b), 1))
    return NearPairs(left, right, np.bitwise_count(a[left] ^ b[right]))


def _radii(max_distance: int) -> list[int]:
    """Return for each band how many bits may differ in it; -1 where the band need not be looked at."""
    each, rest = divmod(max_distance, _BANDS)
    return [each if band <= rest else each - 1 for band in range(_BANDS)]


@cache
def _masks(radius: int) -> tuple[int, ...]:
    """Return all 16-bit words with at most ``radius`` bits set, those with fewer first."""
    return tuple(
        sum(1 << bit for bit in chosen)
        for count in range(radius + 1)
        for chosen in combinations(range(16), count)
    )


def _banded(
    a: NDArray[np.uint64], b: NDArray[np.uint64], max_distance: int, *, each_once: bool
) -> Iterator[NDArray[np.int64]]:
    """Yield keys ``position in a * len(b) + position in b`` of near pairs, some of them more than once."""
    import numpy as np

    for band, radius in enumerate(_radii(max_distance)):
        shift = np.uint64(16 * band)
        key_a = ((a >> shift) & np.uint64(0xFFFF)).astype(np.int64)
        key_b = ((b >> shift) & np.uint64(0xFFFF)).astype(np.int64)
        # Both sides in the order of their keys: what is looked at together lies together in memory.
        order_a, order_b = np.argsort(key_a, kind="stable"), np.argsort(key_b, kind="stable")
        sorted_a, sorted_b, key_a = a[order_a], b[order_b], key_a[order_a]
        starts = np.searchsorted(key_b[order_b], np.arange(0x10001))
        for mask in _masks(radius):
            bucket = key_a ^ mask
            if each_once:
                # Of a bucket and the one it is compared with each pair is met twice: take one side.
                rows = np.flatnonzero(key_a <= bucket)
                bucket = bucket[rows]
            else:
                rows = np.arange(len(a))
            first, counts = starts[bucket], starts[bucket + 1] - starts[bucket]
            for i, j in _expanded(rows, first, counts):
                near = np.flatnonzero(np.bitwise_count(sorted_a[i] ^ sorted_b[j]) <= max_distance)
                if len(near):
                    yield _keys(order_a[i[near]], order_b[j[near]], len(b), each_once=each_once)


def _expanded(
    rows: NDArray[np.int64], first: NDArray[np.int64], counts: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield each row with each of its ``counts`` positions from ``first`` on, in bounded pieces."""
    import numpy as np

    ends = np.cumsum(counts)
    here = 0
    while here < len(rows):
        done = int(ends[here - 1]) if here else 0
        upto = max(here + 1, int(np.searchsorted(ends, done + _CHUNK, side="right")))
        some = counts[here:upto]
        total = int(ends[upto - 1]) - done
        offsets = first[here:upto] - (ends[here:upto] - some - done)
        yield np.repeat(rows[here:upto], some), np.arange(total) + np.repeat(offsets, some)
        here = upto


def _all_against_all(
    a: NDArray[np.uint64], b: NDArray[np.uint64], max_distance: int, *, each_once: bool
) -> Iterator[NDArray[np.int64]]:
    """Yield the same keys as `_banded`, by looking at every pair: faster for few or far ones."""
    import numpy as np

    step = max(1, _CHUNK // max(len(b), 1))
    for start in range(0, len(a), step):
        near = np.bitwise_count(a[start : start + step, None] ^ b[None]) <= max_distance
        i, j = np.nonzero(near)
        yield _keys(i + start, j, len(b), each_once=each_once)


def _keys(i: NDArray[np.int64], j: NDArray[np.int64], width: int, *, each_once: bool) -> NDArray[np.int64]:
    import numpy as np

    if each_once:
        apart = i != j
        i, j = np.minimum(i, j)[apart], np.maximum(i, j)[apart]
    return i * width + j
