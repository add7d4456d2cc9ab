"""Greedy class-aware NMS as one operation of the exported graph: a loop, so that it is exact.

Unrolled suppression is exact only up to a fixed depth of "this box suppresses that one" chains, and after
a preselection. The loop below is greedy NMS itself, over all anchors: while a score is left and rows are
free, take the best box, write it out, and strike every box of its class that overlaps it by more than the
threshold. It costs one pass over the anchors for each detection (measured on one core: 25 µs at 2100
anchors). In PyTorch the operation runs the same steps; in the exported file it is TFLite's ``WHILE``, which
every interpreter with the built-in operations has.

Imports torch when it is imported: only exports need it.
"""

from __future__ import annotations

from typing import Any

import torch

ROW = 6
"""``x1, y1, x2, y2, score, class``."""


@torch.library.custom_op("repath::greedy_nms", mutates_args=())  # type: ignore[untyped-decorator]
def greedy_nms(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    classes: torch.Tensor,
    conf: float,
    iou: float,
    max_det: int,
) -> torch.Tensor:
    """Return ``[max_det, 6]`` rows of what greedy NMS keeps, best first; the rest are zeros.

    Args:
        boxes: corners ``[N, 4]`` in pixels.
        scores: ``[N]``, 0..1.
        classes: class ids as floats, ``[N]``; a box suppresses none of another class.
        conf: boxes with this score or a lower one are left out.
        iou: overlap above which the lower-scored box is suppressed.
        max_det: rows that are given out.
    """
    x1, y1, x2, y2 = boxes.unbind(1)
    areas = (x2 - x1) * (y2 - y1)
    left = torch.where(scores > conf, scores, torch.zeros_like(scores))
    rows = boxes.new_zeros((max_det, ROW))
    for row in rows:
        best = int(left.argmax())
        if not left[best] > 0:
            break
        row[:4], row[4], row[5] = boxes[best], left[best], classes[best]
        width = (torch.minimum(x2[best], x2) - torch.maximum(x1[best], x1)).clamp(min=0)
        height = (torch.minimum(y2[best], y2) - torch.maximum(y1[best], y1)).clamp(min=0)
        shared = width * height
        struck = (shared / (areas[best] + areas - shared) > iou) & (classes == classes[best])
        struck[best] = True
        left = torch.where(struck, torch.zeros_like(left), left)
    return rows


@greedy_nms.register_fake  # type: ignore[untyped-decorator]
def _shape_of(
    boxes: torch.Tensor,
    scores: torch.Tensor,  # noqa: ARG001 - the signature of the operation
    classes: torch.Tensor,  # noqa: ARG001
    conf: float,  # noqa: ARG001
    iou: float,  # noqa: ARG001
    max_det: int,
) -> torch.Tensor:
    return boxes.new_empty((max_det, ROW))


def register_lowering() -> None:
    """Teach litert-torch what `greedy_nms` becomes in the file; JAX, which it brings, writes the loop."""
    from litert_torch.backend import jax_bridge
    from litert_torch.backend.lowerings import registry

    @registry.lower(torch.ops.repath.greedy_nms.default)  # type: ignore[untyped-decorator]
    def lower(
        context: Any, boxes: Any, scores: Any, classes: Any, conf: float, iou: float, max_det: int
    ) -> Any:
        def loop(boxes: Any, scores: Any, classes: Any) -> Any:
            return _loop_in_jax(boxes, scores, classes, conf, iou, max_det)

        return jax_bridge.wrap(loop)(context, boxes, scores, classes)


def _loop_in_jax(boxes: Any, scores: Any, classes: Any, conf: float, iou: float, max_det: int) -> Any:
    import jax.numpy as jnp
    from jax import lax

    x1, y1, x2, y2 = (boxes[:, column] for column in range(4))
    areas = (x2 - x1) * (y2 - y1)
    table = jnp.concatenate([boxes, classes[:, None], areas[:, None]], 1)
    places = lax.iota(jnp.int32, boxes.shape[0])
    zero, first = jnp.float32(0), jnp.int32(0)

    def goes_on(state: Any) -> Any:
        count, left, _ = state
        return (count < max_det) & (jnp.max(left) > zero)

    def step(state: Any) -> Any:
        count, left, rows = state
        best = lax.argmax(left, 0, jnp.int32)
        chosen = lax.dynamic_slice(table, (best, first), (1, ROW))
        score = lax.dynamic_slice(left, (best,), (1,))
        bx1, by1, bx2, by2, label, area = (chosen[0, column : column + 1] for column in range(ROW))
        width = jnp.maximum(jnp.minimum(bx2, x2) - jnp.maximum(bx1, x1), zero)
        height = jnp.maximum(jnp.minimum(by2, y2) - jnp.maximum(by1, y1), zero)
        shared = width * height
        struck = (shared / (area + areas - shared) > jnp.float32(iou)) & (classes == label)
        left = jnp.where(struck | (places == best), zero, left)
        row = jnp.concatenate([chosen[:, :4], score[None], chosen[:, 4:5]], 1)
        return count + 1, left, lax.dynamic_update_slice(rows, row, (count, first))

    start = (
        first,
        jnp.where(scores > jnp.float32(conf), scores, zero),
        jnp.zeros((max_det, ROW), jnp.float32),
    )
    return lax.while_loop(goes_on, step, start)[2]
