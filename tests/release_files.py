"""A release bundle that verifies, of any bytes: what is published does not depend on what a model is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def write_bundle(root: Path, version: str = "1.0.0", model: bytes = b"a model" * 150) -> Path:
    """Write ``<root>/v<version>`` and return its manifest."""
    tag = f"v{version}"
    folder = root / tag
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        f"yolo-repath-{tag}.tflite": model,
        f"yolo-repath-{tag}.labels.json": b'[\n  "Tin Can"\n]\n',
    }
    kinds = ("application/octet-stream", "application/json")
    manifest = {
        "name": "yolo-repath",
        "version": version,
        "tag": tag,
        "generated_at": "2026-01-02T03:04:05.000Z",
        "source": {"model": "a.tflite", "labels": "a.labels.json", "run_id": "20260102-030405"},
        "artifacts": [
            {
                "filename": name,
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
                "content_type": kind,
            }
            for (name, data), kind in zip(files.items(), kinds, strict=True)
        ],
        "notes": "What is new.",
    }
    path = folder / f"release-manifest-{tag}.json"
    files[path.name] = (json.dumps(manifest, indent=2) + "\n").encode()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    (folder / "SHA256SUMS").write_text(sums)
    return path
