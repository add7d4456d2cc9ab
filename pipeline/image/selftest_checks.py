"""What the self-test tries, each in a process of its own: an inference, and a step of training."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from pipeline.image.selftest_model import FOUND, SIDE, model_bytes
from pipeline.runtime.interpreters import TfliteRuntime
from pipeline.support.errors import RepathError, SelfTestError


def infer(runtime: TfliteRuntime) -> str:
    """Run a small model on one picture, and compare with what it must find."""
    import numpy as np

    from pipeline.runtime.detector import load_model

    picture = np.full((2 * SIDE, 4 * SIDE, 3), 127, np.uint8)
    with tempfile.TemporaryDirectory(prefix="repath-selftest-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(model_bytes())
        found = load_model(path, ["item"], runtime=runtime).detector().detect(picture)
    x1, y1, x2, y2, score, _ = FOUND
    # The picture is twice as high as the input and four times as wide.
    expected = (4 * x1, 2 * y1, 4 * x2, 2 * y2)
    if len(found) != 1 or abs(found[0].score - score) > 1e-6 or not np.allclose(found[0].box, expected):
        raise SelfTestError(
            f"the model must find one item at {expected} with score {score}, and gave {found}"
        )
    return f"found the one item at {[round(value) for value in expected]}, score {score}"


def train_one_step(*, on_gpu: bool) -> str:
    """Take one step of training with the detector that is trained by default, and see that weights move."""
    from pipeline.support import ultralytics_library as library

    library.prepare(why="The self-test")
    with library.output_to(None):
        import torch
        from ultralytics.cfg import get_cfg
        from ultralytics.nn.tasks import DetectionModel

        if on_gpu and not torch.cuda.is_available():
            raise SelfTestError("the driver shows a GPU, and PyTorch does not see it")
        device = torch.device("cuda:0" if on_gpu else "cpu")
        torch.manual_seed(0)
        model = DetectionModel("yolo26n.yaml", nc=1, verbose=False).to(device).train()
        model.args = get_cfg()
        batch = {
            "img": torch.rand(2, 3, 64, 64, device=device),
            "cls": torch.zeros(2, 1, device=device),
            "bboxes": torch.tensor([[0.5, 0.5, 0.5, 0.5]] * 2, device=device),
            "batch_idx": torch.arange(2.0, device=device),
        }
        before = [weight.detach().clone() for weight in model.parameters()]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with torch.autocast(device.type, enabled=on_gpu):
            loss, _ = model(batch)
        loss.sum().backward()
        optimizer.step()
        moved = sum(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
        total = float(loss.sum())
    if not moved or not math.isfinite(total):
        raise SelfTestError(f"one step on {device} moved {moved} of {len(before)} weights, loss {total}")
    return f"one step on {device}: loss {total:.3f}, {moved} of {len(before)} weights moved"


def main(name: str, on_gpu: bool) -> int:
    """Make one check and print one line: what came out, or what is wrong; 0 where all is well."""
    try:
        told = train_one_step(on_gpu=on_gpu) if name == "train" else infer(_runtime(name))
    except RepathError as error:
        told, code = error.message, 1
    else:
        code = 0
    print(" ".join(told.split()))  # noqa: T201 - a program of its own
    return code


def _runtime(name: str) -> TfliteRuntime:
    if name == "litert":
        return "litert"
    if name == "tensorflow":
        return "tensorflow"
    raise SelfTestError(f"there is no check {name!r}")
