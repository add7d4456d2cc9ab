"""The graph that ships: a picture ``[1,S,S,3]`` in, rows ``[1,N,6]`` out, around a model of Ultralytics.

Imports torch when it is imported: only exports need it.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from pipeline.contracts.settings import ShippedHead
from pipeline.support.errors import ExportError
from pipeline.training.nms_graph import greedy_nms


class ShippedGraph(torch.nn.Module):  # type: ignore[misc]
    """Takes float32 ``[1,S,S,3]``, RGB 0..1, and gives the first output that the app reads.

    ``[1,N,6]`` rows ``x1,y1,x2,y2,score,class`` in pixels of the S×S input, best first, then rows of zeros;
    or with the head ``raw`` ``[1, 4 + classes, anchors]``, boxes as centre and size in pixels.
    """

    def __init__(self, model: Any, *, head: ShippedHead, conf: float, iou: float, max_det: int) -> None:
        super().__init__()
        self.model = model
        self.head = head
        self.conf = conf
        self.iou = iou
        self.max_det = max_det

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Run the model on one picture."""
        found = self.model(picture.permute(0, 3, 1, 2))
        if self.head == "raw":
            return found
        if self.head == "end2end":
            missing = self.max_det - found.shape[1]
            return torch.nn.functional.pad(found, (0, 0, 0, missing)) if missing > 0 else found
        scores = found[:, 4:]
        best, classes = scores.amax(1)[0], scores.argmax(1)[0]
        boxes = found[0, :4].transpose(0, 1)
        return greedy_nms(boxes, best, classes.float(), self.conf, self.iou, self.max_det)[None]


def shipped_graph(
    model: Any, *, head: ShippedHead, imgsz: int, conf: float, iou: float, max_det: int
) -> ShippedGraph:
    """Prepare a copy of a detection model for export: one head, fused, contiguous, in evaluation mode.

    Args:
        model: a `DetectionModel` of Ultralytics, not yet fused; it is not changed.
        head: which of its heads ships.
        imgsz: side S of the input, a multiple of the model's largest stride.
        conf: the score that a detection of the head ``nms`` must exceed.
        iou: its overlap threshold.
        max_det: N.

    Raises:
        ExportError: the model has no such head.
    """
    copied = copy.deepcopy(model).cpu().float().eval()
    detect = copied.model[-1]
    if head == "end2end" and getattr(detect, "one2one_cv2", None) is None:
        raise ExportError("the model has no end-to-end head", hint="Export it with --head nms.")
    copied.end2end = head == "end2end"
    detect.xyxy = head == "nms"
    detect.max_det = min(max_det, _anchors(detect, imgsz))
    copied = copied.fuse(verbose=False)
    detect.export, detect.format, detect.dynamic = True, "litert", False
    make_contiguous(copied)
    graph = ShippedGraph(copied, head=head, conf=conf, iou=iou, max_det=max_det)
    graph.eval()
    graph.requires_grad_(requires_grad=False)
    with torch.no_grad():
        graph(torch.zeros(1, imgsz, imgsz, 3))  # the head makes its anchors on the first picture
    return graph


def make_contiguous(model: Any) -> None:
    """Lay every parameter and buffer out densely in memory, in place.

    litert-torch 0.10 makes a dense copy of a tensor that is transposed or channels-last, as weights are after
    training on a GPU, remembers what it wrote by the copy's address (`backend/inline_consts.py`), and frees
    the copy. The next copy of that shape may get the same address, and with it the numbers of the first,
    without an error.
    """
    for tensor in [*model.parameters(), *model.buffers()]:
        # `contiguous()` keeps the strides of sides of length 1, which the writer reads as well.
        tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)


def _anchors(detect: Any, imgsz: int) -> int:
    return sum((imgsz // int(stride)) ** 2 for stride in detect.stride)
