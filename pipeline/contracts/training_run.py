"""The record that a training keeps in its folder, and that a training which was interrupted goes on by."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.contracts.base import Contract, Line, Sha256


class TrainingRun(Contract):
    """``repath-run.json`` of a training run; what an earlier version began holds ``finished`` alone."""

    finished: bool
    settings: dict[str, Any] | None = None
    """What the result depends on: names and values of ``[training]``, without device and workers."""
    base_model: dict[str, Any] | None = None
    """Name of the model that it starts from, and the digests of its file."""
    classes: list[str] | None = None
    """The labels, by class id."""
    pictures: dict[str, dict[str, Sha256]] | None = None
    """Subset to id to the digest of the picture's bytes and its boxes."""
    started_at: Line | None = None
    device: Line | None = None
    resumed_after: list[int] = Field(default_factory=list)
    """The epochs after which the training was interrupted and went on."""
    seconds: float = 0.0
    """How long it trained, without what an interruption lost."""
    shrunk: int = 0
    """Pictures that were over a limit and are trained on as smaller copies."""


class Checkpoints(Contract):
    """``weights/checkpoints.json``: which bytes each checkpoint may have, whenever writing it is cut off."""

    digests: dict[str, list[Sha256]] = Field(default_factory=dict)
    """File name to the SHA-256 of what stood there and of what takes its place."""
