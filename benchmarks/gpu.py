"""On an NVIDIA GPU: training by `repath` beside plain `yolo train`, with the same settings, in turns.

    python benchmarks/gpu.py --markdown benchmarks/gpu.md

Pictures a second of both and their ratio (at least 0.97); whether mixed precision was on; how long the GPU
had nothing to do while epochs ran (data loading is the bottleneck where that is much); and that device 0 and
the automatic batch train. Ends with 1 where a floor is missed, and with 2 where there is no GPU.
`--device cpu` tries the script itself; its figures mean nothing. Pictures are drawn by the program.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.image.gpus import find_gpus  # noqa: E402

RATIO_FLOOR = 0.97
IDLE_CEILING = 0.15
MODEL = "yolo26n.yaml"
SAMPLE_S = 0.2
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}


@dataclass
class Trained:
    """One training: how long its epochs took, what its log says, and how busy the GPU was."""

    epochs: list[float]
    """Seconds of each."""
    log: str
    busy: list[float]
    """Share of time in which a kernel ran, sampled from the second epoch on."""

    def per_second(self, pictures: int) -> float:
        """Return pictures a second over the median epoch, without the first, which warms up."""
        return pictures / statistics.median(self.epochs[1:] or self.epochs)

    @property
    def idle(self) -> float:
        """Return the share of time in which the GPU ran no kernel."""
        return 1 - statistics.mean(self.busy) if self.busy else float("nan")


def main() -> int:
    options = arguments()
    gpus = find_gpus()
    if options.device != "cpu" and not gpus.names:
        print(f"not measured: {gpus.why_not}", file=sys.stderr)
        return 2
    name = gpus.names[0] if options.device != "cpu" else "the CPU: these figures mean nothing"
    with tempfile.TemporaryDirectory(prefix="repath-gpu-") as folder:
        space = workspace(Path(folder), options)
        ours, theirs = [], []
        for turn in range(options.turns):
            ours.append(train_ours(space, f"turn{turn}", options, batch=options.batch))
            theirs.append(train_theirs(space, f"turn{turn}", options))
        batch = -1 if options.device != "cpu" else options.batch
        automatic = train_ours(space, "automatic", options, batch=batch)
    lines, well = report(name, options, ours, theirs, automatic)
    print("\n".join(lines))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0 if well else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="0")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=min(8, os.cpu_count() or 1))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--markdown", type=Path, default=None)
    return parser.parse_args()


def workspace(folder: Path, options: argparse.Namespace) -> Path:
    """Make the sample with a bundle of as many pictures as were asked for, all of which train."""
    space = folder / "space"
    repath("init", str(space), "--sample", cwd=folder)
    (space / "repath.toml").write_text(
        f'[training]\nmodel = "{MODEL}"\npatience = 0\n'
        "[training.overrides]\nval = false\n[export]\nparity_images = 1\n"
    )
    repath("run", "--until", "bundle", cwd=space)
    (bundle,) = (path for path in (space / "training/bundles").iterdir() if path.is_dir())
    (bundle / "split.json").unlink()
    table = bundle / "annotations-template.csv"
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    drawn = list(rows)
    while len(rows) < options.pictures:
        row, number = drawn[len(rows) % len(drawn)], len(rows)
        copy = dict(row, id=f"{row['id']}_{number}")
        for column in ("image_file", "label_file"):
            source = Path(row[column])
            copy[column] = str(source.with_stem(f"{source.stem}_{number}"))
            shutil.copy(bundle / source, bundle / copy[column])
        rows.append(copy)
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[: options.pictures])
    return space


def repath(*arguments: str, cwd: Path) -> None:
    command = [sys.executable, "-m", "pipeline", *arguments]
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")


def train_ours(space: Path, name: str, options: argparse.Namespace, *, batch: int) -> Trained:
    """Train with the pipeline's command."""
    run_dir = space / "training" / "training-runs" / name
    with watched(run_dir / "results.csv", options) as busy:
        repath(
            "training", "train-detector-from-annotation", "--name", name, "--run-id", name, "--skip-validate",
            "--epochs", str(options.epochs), "--imgsz", str(options.imgsz), "--batch", str(batch),
            "--workers", str(options.workers), "--device", options.device, cwd=space,
        )  # fmt: skip
    return Trained(epochs_of(run_dir / "results.csv"), (run_dir / "training.log").read_text("utf-8"), busy)


def train_theirs(space: Path, name: str, options: argparse.Namespace) -> Trained:
    """Train with `yolo train` on the same pictures, with the settings that the pipeline gave Ultralytics."""
    data = next((space / "training" / "training-runs" / name / "dataset").glob("*.yaml"))
    run_dir = space / "plain" / name
    with watched(run_dir / "results.csv", options) as busy:
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("yolo")), "detect", "train", f"model={MODEL}",
                f"data={data}", f"epochs={options.epochs}", f"imgsz={options.imgsz}",
                f"batch={options.batch}", f"workers={options.workers}", f"device={options.device}",
                f"project={run_dir.parent}", f"name={name}", "patience=0", "seed=0", "deterministic=True",
                "plots=False", "val=False", "exist_ok=True",
            ],
            env=ENVIRONMENT, capture_output=True, text=True, check=False, cwd=space,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"yolo train failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Trained(epochs_of(run_dir / "results.csv"), done.stdout + done.stderr, busy)


def epochs_of(results: Path) -> list[float]:
    """Return the seconds of each epoch, from the running total that Ultralytics writes."""
    with results.open(encoding="utf-8", newline="") as stream:
        totals = [float(row["time"]) for row in csv.DictReader(stream, skipinitialspace=True)]
    return [after - before for before, after in zip([0.0, *totals], totals, strict=False)]


@contextlib.contextmanager
def watched(results: Path, options: argparse.Namespace) -> Iterator[list[float]]:
    """Sample how busy GPU 0 is while epochs run: from the end of the first one to the end of the last."""
    busy: list[float] = []
    if options.device == "cpu":
        yield busy
        return
    import pynvml

    pynvml.nvmlInit()
    handle: Any = pynvml.nvmlDeviceGetHandleByIndex(0)
    over = threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_S):
            lines = len(results.read_text("utf-8").splitlines()) if results.is_file() else 0
            if 2 <= lines < options.epochs + 1:
                busy.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield busy
    finally:
        over.set()
        thread.join()
        pynvml.nvmlShutdown()


def mixed_precision(trained: Trained) -> bool:
    """Tell whether mixed precision stayed on: Ultralytics checks it on the GPU, and says where it fails."""
    return (
        "amp=True" in trained.log.replace("amp: true", "amp=True") and "AMP: checks failed" not in trained.log
    )


def report(
    gpu: str,
    options: argparse.Namespace,
    ours: list[Trained],
    theirs: list[Trained],
    automatic: Trained,
) -> tuple[list[str], bool]:
    """Return the report in Markdown, and whether every floor is reached."""
    rates = [max(run.per_second(options.pictures) for run in runs) for runs in (ours, theirs)]
    ratio = rates[0] / rates[1]
    idle = [statistics.mean(run.idle for run in runs) for runs in (ours, theirs)]
    amp = all(mixed_precision(run) for run in (*ours, *theirs))
    on_gpu = options.device != "cpu"
    rows = [
        ("pictures a second", f"{rates[0]:.1f}", f"{rates[1]:.1f}"),
        ("GPU idle during epochs", *(f"{each:.0%}" if on_gpu else "no GPU" for each in idle)),
    ]
    well = ratio >= RATIO_FLOOR and (not on_gpu or (amp and idle[0] <= IDLE_CEILING))
    command = " ".join(["python benchmarks/gpu.py", *sys.argv[1:]])
    measured = (
        f"Measured on {gpu} with `{command}`: {options.pictures} drawn pictures, {MODEL}, "
        f"{options.imgsz} pixels, batch {options.batch}, {options.workers} workers, {options.epochs} epochs, "
        f"{options.turns} turns; the best of each counts."
    )
    automatic_rate = automatic.per_second(options.pictures)
    return [
        "# Training on a GPU",
        "",
        measured,
        "",
        "| | `repath training train-detector-from-annotation` | `yolo detect train` |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"- ratio: {ratio:.3f} (at least {RATIO_FLOOR})",
        f"- mixed precision: {'on' if amp else 'off'}",
        f"- data loading is the bottleneck above {IDLE_CEILING:.0%} idle"
        if on_gpu
        else "- no GPU was measured",
        f"- automatic batch: {len(automatic.epochs)} epochs, {automatic_rate:.1f} pictures a second",
        "",
    ], well


if __name__ == "__main__":
    sys.exit(main())
