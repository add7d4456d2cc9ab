"""Checkpoints of a training that may be cut off at any moment: written whole, known by digest, put right."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pipeline.contracts.training_run import Checkpoints
from pipeline.support.documents import read_json, read_text, write_json
from pipeline.support.errors import ContractError, InputError, TrainingError
from pipeline.support.files import copy_file, output_error, sha256_file, write_text

DIGESTS = "checkpoints.json"
LAST, BEST = "last.pt", "best.pt"
_KEPT = ".resumable"
"""What is added to the name of a checkpoint that is kept until the end of the training."""


class WholeFile(type(Path())):  # type: ignore[misc]  # before Python 3.12 only the concrete class can be a base
    """A path whose `write_bytes` notes the digest of the bytes, and leaves the old file or the whole new one.

    Nothing waits for the disk, as a checkpoint comes with every epoch: a process that is killed leaves whole
    files; of a machine that loses power, the digest tells.
    """

    def write_bytes(self, data: Any) -> int:
        """Write as `Path.write_bytes` does."""
        content = bytes(data)
        path = Path(self)
        _note(path, _digest(content))
        _replace(path, content)
        return len(content)


_hashed: tuple[bytes, str] = (b"", "")
"""What was hashed last: the last and the best checkpoint are often the same bytes."""


def _digest(content: bytes) -> str:
    global _hashed  # noqa: PLW0603 - a cache of one
    if _hashed[0] is not content:
        _hashed = (content, hashlib.sha256(content).hexdigest())
    return _hashed[1]


def _note(path: Path, digest: str) -> None:
    """Add a digest before its bytes are written: whichever of the two stand there afterwards are known."""
    known = _known(path.parent)
    before = known.digests.get(path.name, [])[-1:]
    noted = Checkpoints(digests={**known.digests, path.name: [*before, digest]})
    _replace(path.parent / DIGESTS, noted.to_json())


def _replace(path: Path, content: bytes) -> None:
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise output_error(path, error) from error
        raise


def _known(weights: Path) -> Checkpoints:
    file = weights / DIGESTS
    return read_json(file, Checkpoints) if file.is_file() else Checkpoints(digests={})


def keep_resumable(weights: Path) -> None:
    """Keep copies of the checkpoints before the optimizer is taken out of them, in place."""
    # The last one comes last: where it is there, the other is, and all epochs are over.
    for name in (BEST, LAST):
        if (weights / name).is_file():
            copy_file(weights / name, weights / (name + _KEPT))


def drop_resumable(weights: Path) -> None:
    """Remove what is needed only to go on."""
    for name in (LAST, BEST):
        (weights / (name + _KEPT)).unlink(missing_ok=True)
    global _hashed  # noqa: PLW0603
    _hashed = (b"", "")
    (weights / DIGESTS).unlink(missing_ok=True)
    for left in weights.glob(".*.part"):
        left.unlink(missing_ok=True)


def restore_resumable(weights: Path) -> bool:
    """Put the kept copies back, and tell whether all epochs were over when the training was cut off."""
    if not (weights / (LAST + _KEPT)).is_file():
        return False
    for name in (BEST, LAST):
        if (weights / (name + _KEPT)).is_file():
            copy_file(weights / (name + _KEPT), weights / name)
    return True


def can_go_on(weights: Path) -> bool:
    """Tell whether a training can go on from what stands here, which may be nothing yet."""
    kept = weights / (LAST + _KEPT)
    last = weights / LAST
    if kept.is_file() or not last.is_file():
        return True
    try:
        require_ours(last)
    except TrainingError:
        return False
    return True


def require_ours(path: Path) -> None:
    """Check that a checkpoint holds bytes that the training wrote: it is unpickled, which runs what is in it.

    Raises:
        TrainingError: it does not, or nothing tells.
    """
    try:
        known = _known(path.parent).digests.get(path.name, [])
    except (ContractError, InputError):
        known = []
    if sha256_file(path) not in known:
        raise TrainingError(
            f"{path} is not the checkpoint that this training wrote: it is damaged, or was put there",
            hint=f"Train anew: remove {path.parent.parent}, or choose another --name.",
        )


def read_epoch(last: Path) -> int:
    """Return after how many epochs a checkpoint of ours was written, and mend what the cut left behind.

    The best checkpoint is written after the last one: where the last is the best so far, it takes its place.
    Lines of ``results.csv`` beyond it belong to an epoch whose checkpoint was not written.
    """
    import torch

    require_ours(last)
    best = last.with_name(BEST)
    state = torch.load(last, map_location="cpu", weights_only=False)
    epochs = int(state["epoch"]) + 1
    fitness = (state.get("train_metrics") or {}).get("fitness")
    if fitness == state.get("best_fitness"):
        copy_file(last, best)
    else:
        require_ours(best)
    standing = {path.name: [sha256_file(path)] for path in (last, best)}
    write_json(last.parent / DIGESTS, Checkpoints(digests=standing))
    _cut_results(last.parent.parent / "results.csv", epochs)
    return epochs


def _cut_results(results: Path, epochs: int) -> None:
    if not results.is_file():
        return
    lines = read_text(results).splitlines()
    kept = [line for line in lines[1:] if _epoch_of(line) in range(1, epochs + 1)]
    write_text(results, "\n".join([*lines[:1], *kept]) + "\n")


def _epoch_of(line: str) -> int | None:
    try:
        return int(float(line.split(",", 1)[0]))
    except ValueError:
        return None


def clear_folder(folder: Path, *, but: str) -> None:
    """Remove everything of a folder but one file.

    Raises:
        OutputError: something cannot be removed.
    """
    for path in folder.iterdir():
        if path.name == but:
            continue
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise output_error(path, error) from error
