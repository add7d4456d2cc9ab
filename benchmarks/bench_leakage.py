"""Hashing pictures beside imagehash, and 100,000 hashes against each other beside a BK-tree, in the same run.

The BK-tree is plain Python, as the usual packages are, and holds a tenth of the hashes: its time over all of
them would be many times longer still. Photos are drawn noise of the sizes that cameras and data sets have.

    python benchmarks/bench_leakage.py [--hashes 100000] [--bk-hashes 10000] [--pictures 40]
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import imagehash
import numpy as np
from PIL import Image

from pipeline.support.near_pairs import near_pairs
from pipeline.support.phash import MAX_DISTANCE, mirrored, picture_hash

MAX_SECONDS = 1.0
MIN_RATIO = 4.0
TURNS = 3
SIZES = {"512x384": (512, 384), "1600x1200": (1600, 1200), "4000x3000": (4000, 3000)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hashes", type=int, default=100_000)
    parser.add_argument("--bk-hashes", type=int, default=10_000)
    parser.add_argument("--pictures", type=int, default=40, help="of the smallest size; fewer of the larger")
    options = parser.parse_args()
    missed = search(options.hashes, options.bk_hashes) + hashing(options.pictures)
    print("all floors held" if not missed else f"{missed} floors missed")
    return 1 if missed else 0


def search(count: int, bk_count: int) -> int:
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64, endpoint=False)
    copies = count // 100
    flips = np.left_shift(np.uint64(1), rng.integers(0, 64, copies).astype(np.uint64))
    hashes[-copies:] = hashes[:copies] ^ flips  # one in a hundred is a copy, one bit away
    missed = 0
    for limit in (4, MAX_DISTANCE):
        taken, pairs = best(lambda limit=limit: near_pairs(hashes, max_distance=limit))
        print(f"{count} hashes, all pairs within {limit}: {taken:.3f} s, {len(pairs.a)} pairs")
        assert len(pairs.a) >= copies
        missed += taken > MAX_SECONDS
    some = hashes[:bk_count]
    taken, pairs = best(lambda: near_pairs(some, max_distance=4))
    started = time.perf_counter()
    found = bk_pairs(some.tolist(), 4)
    slow = time.perf_counter() - started
    assert found == len(pairs.a)
    print(
        f"{bk_count} hashes, within 4: {taken:.3f} s, BK-tree {slow:.1f} s, {slow / taken:.0f} times as fast"
    )
    flipped = np.array([mirrored(bits) for bits in hashes.tolist()], dtype=np.uint64)
    taken, _ = best(lambda: near_pairs(hashes, flipped, max_distance=MAX_DISTANCE))
    print(f"{count} hashes against their mirrored selves, within {MAX_DISTANCE}: {taken:.3f} s")
    return missed


def bk_pairs(hashes: list[int], limit: int) -> int:
    """Count the pairs within ``limit``, looking each hash up in a tree of those before it."""
    tree: list[Any] | None = None
    found = 0
    for bits in hashes:
        if tree is None:
            tree = [bits, {}]
            continue
        stack = [tree]
        while stack:
            node, children = stack.pop()
            apart = (node ^ bits).bit_count()
            found += apart <= limit
            stack += [child for edge, child in children.items() if apart - limit <= edge <= apart + limit]
        place = tree
        while True:
            apart = (place[0] ^ bits).bit_count()
            if apart not in place[1]:
                place[1][apart] = [bits, {}]
                break
            place = place[1][apart]
    return found


def hashing(count: int) -> int:
    missed = 0
    for name, size in SIZES.items():
        number = max(4, count * SIZES["512x384"][0] // size[0])
        files = [photo(seed, size) for seed in range(number)]
        ours, _ = best(partial(each, files, picture_hash))
        trimmed, _ = best(partial(each, files, partial(picture_hash, trims=True)))
        theirs, _ = best(partial(each, files, full_decode))
        print(
            f"{name}: {1e3 * ours / number:.2f} ms a picture ({1e3 * trimmed / number:.2f} with trims), "
            f"imagehash.phash {1e3 * theirs / number:.2f} ms, {theirs / ours:.1f} times as fast"
        )
        missed += theirs / ours < MIN_RATIO
    return missed


def full_decode(data: bytes) -> imagehash.ImageHash:
    return imagehash.phash(Image.open(io.BytesIO(data)))


def photo(seed: int, size: tuple[int, int]) -> bytes:
    """Return a JPEG with detail at every scale, as photos have it."""
    rng = np.random.default_rng(seed)
    image = np.zeros((size[1], size[0], 3), dtype=np.float32)
    for side in (4, 16, 64, 256):
        noise = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8), "RGB")
        image += np.asarray(noise.resize(size, Image.Resampling.BICUBIC), dtype=np.float32) / side**0.5
    image *= 255 / image.max()
    buffer = io.BytesIO()
    Image.fromarray(image.astype(np.uint8), "RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def each(files: list[bytes], work: Callable[[bytes], object]) -> None:
    for data in files:
        work(data)


def best(work: Callable[[], Any]) -> tuple[float, Any]:
    taken = []
    result = None
    for _ in range(TURNS):
        started = time.perf_counter()
        result = work()
        taken.append(time.perf_counter() - started)
    return min(taken), result


if __name__ == "__main__":
    raise SystemExit(main())
