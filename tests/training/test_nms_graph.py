"""Greedy NMS in the graph: the same kept set as the textbook's, whatever the boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from pipeline.training.nms_graph import greedy_nms  # noqa: E402

IOU = 0.7


def textbook(boxes, scores, classes, conf, iou, limit):
    """Greedy NMS per class by torchvision: indices by score."""
    kept = []
    for label in classes.unique():
        inside = torch.nonzero((classes == label) & (scores > conf))[:, 0]
        kept += inside[torchvision.ops.nms(boxes[inside], scores[inside], iou)].tolist()
    return sorted(kept, key=lambda index: -float(scores[index]))[:limit]


def random_boxes(seed: int, count: int, spread: float, classes: int = 3):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * spread
    sides = torch.rand(count, 2, generator=generator) * 60 + 20
    scores = torch.randperm(count, generator=generator).float() / count
    labels = torch.randint(0, classes, (count,), generator=generator).float()
    return torch.cat([corner, corner + sides], 1), scores, labels


def chain(count: int):
    """Boxes of which each overlaps only the next: greedy keeps every second one, all the way."""
    left = torch.arange(count) * 10.0
    boxes = torch.stack([left, torch.zeros(count), left + 100, torch.full((count,), 50.0)], 1)
    return boxes, torch.linspace(0.9, 0.3, count), torch.zeros(count)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 200), st.floats(10, 800), st.integers(1, 50))
def test_it_keeps_what_torchvision_keeps(seed: int, count: int, spread: float, limit: int) -> None:
    boxes, scores, labels = random_boxes(seed, count, spread)
    expected = textbook(boxes, scores, labels, 0.05, IOU, limit)
    rows = greedy_nms(boxes, scores, labels, 0.05, IOU, limit)
    assert rows.shape == (limit, 6)
    assert torch.equal(rows[: len(expected), :4], boxes[expected])
    assert torch.equal(rows[: len(expected), 4], scores[expected])
    assert torch.equal(rows[: len(expected), 5], labels[expected])
    assert not rows[len(expected) :].any()


def test_a_chain_of_three_hundred_boxes_that_suppress_each_other_is_resolved_to_its_end() -> None:
    boxes, scores, labels = chain(300)
    rows = greedy_nms(boxes, scores, labels, 0.05, IOU, 300)
    assert torch.equal(rows[:150, 0], boxes[::2, 0])
    assert not rows[150:].any()


def test_a_box_suppresses_none_of_another_class() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    rows = greedy_nms(boxes, torch.tensor([0.9, 0.8]), torch.tensor([0.0, 1.0]), 0.05, IOU, 5)
    assert rows[:, 4].tolist() == pytest.approx([0.9, 0.8, 0, 0, 0])


@pytest.mark.train
@pytest.mark.slow
def test_the_exported_loop_gives_the_same_rows_bit_for_bit_in_both_interpreters() -> None:
    pytest.importorskip("litert_torch")
    from pipeline.support import ultralytics_library as library
    from pipeline.training.while_outline import outline_loops

    library.prepare(why="This test", export=True)
    count = 600

    class Alone(torch.nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return torch.ops.repath.greedy_nms(rows[:, :4], rows[:, 4], rows[:, 5], 0.05, IOU, 300)

    with library.output_to(None):
        import litert_torch
        from litert_converter import converter_api_ext

        from pipeline.training.nms_graph import register_lowering

        register_lowering()
        module = litert_torch.convert(Alone().eval(), (torch.zeros(count, 6),))._exporter.module
        outline_loops(module)
        content = converter_api_ext.export_flatbuffer_to_bytes(module.operation)
    from pipeline.runtime.interpreters import TfliteBackend

    runs = [TfliteBackend(content, runtime="litert", threads=1, source="nms")]
    try:
        runs.append(TfliteBackend(content, runtime="tensorflow", threads=1, source="nms"))
    except Exception as error:  # noqa: BLE001 - the extra may be missing
        assert "tensorflow" in str(error)  # noqa: PT017
    chained = [torch.cat([c, torch.zeros(count - 300, *c.shape[1:])]) for c in chain(300)]
    for boxes, scores, labels in (
        random_boxes(1, count, 400),
        random_boxes(2, count, 60),
        random_boxes(3, count, 2000),
        chained,
    ):
        expected = greedy_nms(boxes, scores, labels, 0.05, IOU, 300).numpy()
        for run in runs:
            given = run(torch.cat([boxes, scores[:, None], labels[:, None]], 1).numpy())
            assert np.array_equal(given, expected)
