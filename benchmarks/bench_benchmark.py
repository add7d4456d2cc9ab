"""How fast a model is measured, beside the parts alone, the plain loop with Pillow, and `yolo val`.

    python benchmarks/bench_benchmark.py [--model model.tflite --labels labels.json] [--pictures 300]

Without a model an untrained yolo26n is exported at 320: what it finds is nothing, what it costs is the same.
Pictures are drawn on the fly: one-megapixel JPEGs. All figures come from one run; the machine should have
nothing else to do. The parts are measured alone, one after another, on one core; the ceiling is what
`cores / (decode + resize + invoke)` allows.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.contracts.candidate import LabelsFile
from pipeline.evaluation.benchmark import BenchmarkOptions, run_benchmark
from pipeline.runtime.detector import LoadedModel, load_model
from pipeline.support.documents import read_json
from pipeline.support.images import decode_rgb
from pipeline.support.pool import cores

WIDTH, HEIGHT = 1152, 868
TARGETS = {
    "share of cores / (decode + resize + invoke)": 0.9,
    "times the sequential loop with Pillow": 2.2,
    "times yolo val": 2.0,
    "share of invoke alone, with --cache": 0.85,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--repeat", type=int, default=1, help="best of so many measurements of each figure")
    parser.add_argument("--no-yolo", action="store_true")
    given = parser.parse_args()
    if (given.model is None) != (given.labels is None):
        parser.error("--model and --labels belong together")
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder)
        if given.model is None:
            given.model, given.labels = untrained(space)
        labels = read_json(given.labels, LabelsFile).root
        paths = draw(space / "images" / "val", given.pictures)
        write_manifest(space, paths, labels)
        model = load_model(given.model, labels)
        report(given, space, paths, model)


def untrained(folder: Path) -> tuple[Path, Path]:
    """Export a yolo26n with random weights, and return the file and its labels."""
    from pipeline.support import ultralytics_library as library

    library.prepare(why="This benchmark", export=True)
    with library.output_to(None):
        from ultralytics import YOLO

        from pipeline.training.convert import convert
        from pipeline.training.graph import shipped_graph

        yolo = YOLO("yolo26n.yaml")
        graph = shipped_graph(yolo.model, head="end2end", imgsz=320, conf=0.05, iou=0.7, max_det=300)
        content = convert(graph, imgsz=320)
    model, labels = folder / "model.tflite", folder / "model.labels.json"
    model.write_bytes(content)
    labels.write_text(json.dumps([f"class {index}" for index in range(len(yolo.names))]))
    return model, labels


def report(given: argparse.Namespace, space: Path, paths: list[Path], model: LoadedModel) -> None:
    parts = parts_alone(model, paths)
    ceiling = given.workers / sum(parts.values())
    invoke = given.workers / parts["invoke"]
    ours = best(given.repeat, lambda: rate(given, space, None))
    rate(given, space, space / "cache")  # fills it
    cached = best(given.repeat, lambda: rate(given, space, space / "cache"))
    plain = best(given.repeat, lambda: sequential_pillow(model, paths))
    yolo = None if given.no_yolo else yolo_val(given.model, space)
    print(f"{len(paths)} JPEGs of {WIDTH}x{HEIGHT}, {given.workers} workers, load {os.getloadavg()[0]:.1f}")
    for name, spent in parts.items():
        print(f"  {name:<8} alone {1000 * spent:7.2f} ms")
    print(f"  ceiling {ceiling:.1f}/s, of invoke alone {invoke:.1f}/s")
    print(f"  ours {ours:.1f}/s, cached {cached:.1f}/s, plain loop {plain:.1f}/s, yolo val {yolo or '-'}/s")
    ratios = [ours / ceiling, ours / plain, ours / yolo if yolo else None, cached / invoke]
    for (name, target), ratio in zip(TARGETS.items(), ratios, strict=True):
        verdict = "not measured" if ratio is None else f"{ratio:.2f} {'ok' if ratio >= target else 'BELOW'}"
        print(f"  {name:<46} {verdict} (target {target})")


def draw(folder: Path, count: int) -> list[Path]:
    from PIL import Image

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    paths = []
    for index in range(count):
        coarse = rng.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3), np.uint8)
        image = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        grain = rng.normal(0, 6, (HEIGHT, WIDTH, 1))
        pixels = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
        paths.append(folder / f"{index:04d}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=85)
    return paths


def write_manifest(space: Path, paths: list[Path], labels: list[str]) -> None:
    rows = [
        {"name": path.stem, "url": path.relative_to(space).as_posix(), "expected_any": [labels[0]]}
        for path in paths
    ]
    (space / "manifest.json").write_text(json.dumps({"name": "bench", "images": rows}))
    label_folder = space / "labels" / "val"
    label_folder.mkdir(parents=True)
    for path in paths:
        (label_folder / f"{path.stem}.txt").write_text("0 0.5 0.5 0.3 0.3\n")
    names = "".join(f"  {index}: {json.dumps(label)}\n" for index, label in enumerate(labels))
    (space / "data.yaml").write_text(f"path: {space}\ntrain: images/val\nval: images/val\nnames:\n{names}")


def parts_alone(model: LoadedModel, paths: list[Path]) -> dict[str, float]:
    """Return the seconds that each part takes for one picture, on one core, nothing else running."""
    import cv2

    cv2.setNumThreads(1)
    detector = model.detector()
    some = [path.read_bytes() for path in paths[:40]]
    decoded = [decode_rgb(data, source="a") for data in some]
    canvases = [detector.fit(rgb)[0] for rgb in decoded]
    tensors = [detector.load(canvas).copy() for canvas in canvases]
    return {
        "decode": median(lambda i: decode_rgb(some[i], source="a"), len(some)),
        "resize": median(lambda i: detector.fit(decoded[i]), len(some)),
        "invoke": median(lambda i: detector.invoke(tensors[i]), len(some)),
    }


def median(work: Callable[[int], object], count: int) -> float:
    spent = []
    for index in range(count):
        started = time.perf_counter()
        work(index)
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def best(repeat: int, measure: Callable[[], float]) -> float:
    return max(measure() for _ in range(repeat))


def rate(given: argparse.Namespace, space: Path, cache: Path | None) -> float:
    options = BenchmarkOptions(
        given.model, given.labels, space / "manifest.json", root=space, workers=given.workers, cache=cache
    )
    timing = run_benchmark(options).timing
    assert timing is not None
    return timing.pictures_per_s or 0.0


def sequential_pillow(model: LoadedModel, paths: list[Path]) -> float:
    """Return pictures per second of the plain loop: Pillow, one interpreter, one thread."""
    from PIL import Image

    detector = model.detector()
    size = (model.fitting.width, model.fitting.height)
    started = time.perf_counter()
    for path in paths:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            rgb = image.convert("RGB")
        canvas = np.asarray(rgb.resize(size, Image.Resampling.BILINEAR))
        output = detector.invoke(detector.load(canvas))
        detector.decode(output, model.fitting.geometry(*rgb.size), picture=path.name)
    return len(paths) / (time.perf_counter() - started)


def yolo_val(model: Path, space: Path) -> float:
    """Return pictures per second of Ultralytics' own validation of the same file, its import not counted."""
    code = (
        "import sys, time\n"
        "from ultralytics import YOLO\n"
        "model = YOLO(sys.argv[1], task='detect')\n"
        "seen = []\n"
        "model.add_callback('on_val_batch_start', lambda v: seen.append(time.perf_counter()))\n"
        "model.add_callback('on_val_end', lambda v: seen.append(time.perf_counter()))\n"
        "model.val(data=sys.argv[2], imgsz=int(sys.argv[3]), batch=1, device='cpu', plots=False,"
        " verbose=False, project=sys.argv[4])\n"
        "print('SECONDS', seen[-1] - seen[0])\n"
    )
    side = read_side(model)
    arguments = [sys.executable, "-c", code, str(model), str(space / "data.yaml"), str(side), str(space)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=space)
    line = next((line for line in done.stdout.splitlines() if line.startswith("SECONDS")), None)
    if line is None:
        raise SystemExit(f"yolo val failed:\n{done.stderr[-2000:]}")
    return len(list((space / "images/val").glob("*.jpg"))) / float(line.split()[1])


def read_side(model: Path) -> int:
    from pipeline.support.tflite_file import read_tflite

    return max(read_tflite(model).inputs[0].shape)


if __name__ == "__main__":
    main()
