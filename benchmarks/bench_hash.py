"""Verify a 500 MB release beside `sha256sum -c` on the same files, in turns; the best of each counts."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.release.verify import verify_release

SIZE = 500 << 20
TURNS = 5
FLOOR = 0.9


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_bundle(Path(folder))

        def ours() -> None:
            verify_release(manifest)

        def theirs() -> None:
            subprocess.run(["sha256sum", "--status", "-c", "SHA256SUMS"], cwd=folder, check=True)

        best = {"repath": float("inf"), "sha256sum": float("inf")}
        for _ in range(TURNS):
            best["repath"] = min(best["repath"], seconds(ours))
            best["sha256sum"] = min(best["sha256sum"], seconds(theirs))
    for name, taken in best.items():
        print(f"{name:10} {taken:6.3f} s  {SIZE / taken / 1e6:7.0f} MB/s")
    ratio = best["sha256sum"] / best["repath"]
    print(f"ratio      {ratio:6.2f}    (floor {FLOOR})")
    return 0 if ratio >= FLOOR else 1


def write_bundle(folder: Path) -> Path:
    block = os.urandom(1 << 20)
    model, labels = folder / "yolo-repath-v1.0.0.tflite", folder / "yolo-repath-v1.0.0.labels.json"
    with model.open("wb") as stream:
        for _ in range(SIZE >> 20):
            stream.write(block)
    labels.write_text('["Can"]\n')
    artifacts = [
        {
            "filename": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
            "content_type": "application/octet-stream",
        }
        for path in (model, labels)
    ]
    manifest = folder / "release-manifest-v1.0.0.json"
    source = {"model": "m", "labels": "l", "run_id": None}
    document = {"name": "n", "version": "1.0.0", "tag": "v1.0.0", "generated_at": "", "source": source}
    manifest.write_text(json.dumps({**document, "artifacts": artifacts, "notes": ""}))
    lines = [f"{item['sha256']}  {item['filename']}\n" for item in artifacts]
    lines.append(f"{hashlib.sha256(manifest.read_bytes()).hexdigest()}  {manifest.name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines))
    return manifest


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
