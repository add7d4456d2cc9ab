"""``repath.toml``: the defaults of a workspace. A flag wins over every one of them.

Unknown keys are refused here, unlike in data files: a misspelt setting would silently do nothing.
"""

from __future__ import annotations

import posixpath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

MAX_SEED = 2**32 - 1
"""The largest seed that numpy, and so Ultralytics, takes."""
Share = Annotated[float, Field(ge=0, le=1)]


class Table(BaseModel):
    """A table of repath.toml."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=(), allow_inf_nan=False)


class Paths(Table):
    """Where the files of a workspace lie, relative to it."""

    pack: str = "data/pack.json"
    """The municipality's pack: put yours here."""
    taxonomy: str = "assets/models/municipal-taxonomy-v1.json"
    """Written by `data build-taxonomy`."""
    seed_manifest: str = "data/benchmark-manifest.seed.json"
    """Pictures to start the benchmark with: name, url and expected labels."""
    labeled: str = "data/benchmark-labeled.csv"
    """Labeled rows, edited by people; rows named retrain_* are for training."""
    retraining_queue: str = "data/benchmark-retraining-queue.csv"
    """Rows that an analysis asks for, to be given pictures and merged into the labeled rows."""
    annotations: str = "data/annotations"
    """Boxes already drawn: one <id>.txt per picture (YOLO), and classes.txt."""
    image_cache: str = "data/images/cache"
    """Where downloads are kept."""
    manifest: str = "benchmarks/municipal-benchmark-manifest-v2.json"
    """The benchmark manifest: a row or a placeholder for every label."""
    resolved_manifest: str = "benchmarks/benchmark-manifest.resolved.json"
    """The manifest with every picture on this disk."""
    holdout_manifest: str = "benchmarks/benchmark-manifest.supported-holdout.json"
    """Held-out pictures of the labels that the model supports."""
    holdout_overrides: str = "data/benchmark-supported-holdout-overrides.seed.json"
    """Pictures for labels that no class folder covers."""
    curated: str = "benchmarks/benchmark-labeled.curated.csv"
    """What `repath run` makes of the labeled rows: normalised and deduplicated."""
    coverage: str = "benchmarks/coverage.json"
    """Which labels have a picture and which do not."""
    baseline_results: str = "benchmarks/latest-results.json"
    """How the model in use does."""
    candidate_results: str = "benchmarks/latest-results.candidate.json"
    """How the candidate does."""
    leakage: str = "benchmarks/leakage.json"
    """Benchmark pictures that training has seen."""
    priority_table: str = "benchmarks/latest-results.candidate.priority.csv"
    """Which labels need work, and of what kind."""
    priority_plan: str = "benchmarks/benchmark-priority-report.json"
    """Which rows of the manifest to find a picture for first, and why."""
    expansion_plan: str = "benchmarks/benchmark-coverage-expansion-report.json"
    """Which labels have fewer pictures than they should."""
    expansion_template: str = "data/benchmark-coverage-expansion-template.csv"
    """The rows to fill for that, for people to work on."""
    unresolved: str = "data/benchmark-unresolved.csv"
    """Labeled rows without a picture, with links to search by, for people to work on."""
    progress: str = "benchmarks/benchmark-progress-report.json"
    """What the labeled rows last gave to the manifest."""
    dedupe_report: str = "benchmarks/benchmark-dedupe-report.json"
    """Rows of the manifest that showed a picture of another row."""
    comparison: str = "benchmarks/latest-results.compare.json"
    """The two compared."""
    report: str = "benchmarks/report.html"
    """The verdict, the figures and the pictures, to look at in a browser."""
    retraining_manifest: str = "training/retraining-manifest.json"
    """The pictures that the next candidate learns from."""
    bundles: str = "training/bundles"
    """Pictures and boxes for training, one folder per run."""
    runs: str = "training/training-runs"
    """What Ultralytics writes while it trains."""
    candidates: str = "candidates"
    """Trained and exported models, one folder per run."""
    assets: str = "assets/models"
    """Where a promoted model goes: the app's assets."""
    releases: str = "dist/releases"
    """Release bundles, one folder per version."""
    release_notes: str = "release-notes.md"
    """What is new, written by a person before a release."""

    @model_validator(mode="after")
    def _one_place_each(self) -> Paths:
        held: dict[str, str] = {}
        for name in type(self).model_fields:
            place = posixpath.normpath(getattr(self, name))
            if place in held:
                raise ValueError(
                    f"{held[place]} and {name} name one place, {place!r}: what one stage writes another reads"
                )
            held[place] = name
        return self


class Data(Table):
    """Data that this workspace does not hold, brought by `data fetch`. Pictures by url need nothing here."""

    repository: str | None = None
    """Repository on GitHub that holds data, as owner/name."""
    ref: str | None = None
    """Its branch, tag or commit; not set: the default branch."""
    path: str = ""
    """Folder inside it; empty: all of it."""
    archives: list[str] = Field(default_factory=list)
    """Class folders as .zip or .tar.gz with their digest: `https://host/a.zip#sha256=<hex>`, or a file of a
    release, `owner/name@tag/a.zip#sha256=<hex>`."""
    into: str = "data/fetched"
    """Folder that all of it comes to stand in; each archive has one of its own there."""
    max_bytes: int = Field(default=16 << 30, gt=0)
    """The most that is fetched from one place, packed or not."""


class Labels(Table):
    """Labels that the taxonomy lacks."""

    allow_unknown: bool = False
    """Go on with them, as ``--allow-unknown-labels`` does; else a build stops and names the nearest ones."""


class Kaggle(Table):
    """Class folders: which folder of the set shows which label of the taxonomy."""

    dir: str | None = None
    """The folder that holds the class folders; KAGGLE_WASTE_DIR and --kaggle-dir go before it."""
    folders: dict[str, list[str]] = Field(default_factory=dict)
    """Label to folder names, the best first; folders are found without regard to case."""


class Search(Table):
    """How pictures are searched for on Wikimedia Commons."""

    limit: int = Field(default=30, ge=1)
    """Rows that one run, or one pass of a bulk run, searches for."""
    timeout_ms: int = Field(default=15000, ge=1)
    """Milliseconds to wait for one answer."""
    max_retries: int = Field(default=3, ge=0)
    """Further attempts after a failed one."""
    pause_ms: int = Field(default=500, ge=0)
    """Milliseconds between two requests of a bulk run: Wikimedia asks robots to be patient."""


class Planning(Table):
    """How many rows the plans for the benchmark and for retraining ask for."""

    positive_top: int = Field(default=8, ge=0)
    """Labels that are missed most, for which the retraining queue asks for pictures."""
    negative_top: int = Field(default=4, ge=0)
    """Labels that are seen wrongly most, for which it asks for hard negatives."""
    variants: int = Field(default=3, ge=1)
    """Rows of the queue for each of these labels."""
    negatives_dir: str | None = None
    """Folder of pictures that show nothing of interest and are no part of the benchmark."""
    target_ready: int = Field(default=3, ge=1)
    """Pictures that each label of the benchmark should have."""
    max_rows: int = Field(default=200, ge=1)
    """Most rows that a plan asks people to fill at once."""
    negative_count: int = Field(default=20, ge=0)
    """Negatives that the benchmark should have."""


class FolderNames(RootModel[dict[str, list[str]]]):
    """A JSON file that stands in place of ``[kaggle.folders]``: label to folder names, the best first."""


class Benchmark(Table):
    """How a model is measured."""

    threshold: float = Field(default=0.35, ge=0, le=1)
    """Lowest score that counts as a detection."""
    topk: int = Field(default=5, ge=1)
    """How many labels of a picture count, by score."""
    supported_only: bool = False
    """Leave out labels that the model does not know."""
    resize: Literal["stretch", "letterbox"] = "stretch"
    """`stretch` as the app does, or `letterbox`."""
    filter: Literal["opencv-linear", "pillow-bilinear", "pillow-bicubic", "pillow-lanczos"] = "opencv-linear"
    """The resize filter; OpenCV's linear is the one used in training."""
    max_unreadable: float | None = Field(default=None, ge=0, le=1)
    """Share of pictures that may be unreadable; not set: 0 under CI=true, else 0.05."""


class Download(Table):
    """Limits on what is fetched."""

    enabled: bool = True
    """Whether pictures may be fetched over the network at all."""
    timeout_s: float = Field(default=20.0, gt=0)
    """Seconds to wait for a server."""
    max_bytes: int = Field(default=64 << 20, gt=0)
    """Largest file taken."""
    max_pixels: int = Field(default=64_000_000, gt=0)
    """Largest picture decoded, in pixels."""
    retries: int = Field(default=3, ge=0)
    """Further attempts after a failed one."""
    allow_private_addresses: bool = False
    """Fetch from this machine and its local network too."""


class Training(Table):
    """How a candidate is trained; the names are the flags of ``train-detector-from-annotation``."""

    model: str = "yolo26n.pt"
    """Weights (.pt) to start from, or a model definition (.yaml) to start from nothing."""
    epochs: int = Field(default=60, ge=1)
    """Times that every picture is seen."""
    imgsz: int = Field(default=640, ge=32, le=4096)
    """Side of the model's square input, in pixels."""
    batch: int = Field(default=16, ge=-1)
    """Pictures per step; -1 lets Ultralytics choose (GPU only)."""
    device: str | None = None
    """`cpu`, `0`, or `0,1` for two GPUs; not set: the first GPU, else the CPU."""
    workers: int = Field(default=8, ge=0)
    """Processes that load pictures; 0 loads in the training process."""
    patience: int = Field(default=20, ge=0)
    """Epochs without improvement before training stops; 0 never stops early."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """The same seed and pictures give the same training and split."""
    val_fraction: float = Field(default=0.15, gt=0, lt=1)
    """Share of the pictures that chooses the best epoch."""
    test_fraction: float = Field(default=0.15, ge=0, lt=1)
    """Share of the pictures kept from training altogether."""
    max_image_pixels: int | None = Field(default=None, ge=1)
    """Pictures with more pixels are trained on as smaller copies."""
    max_image_dim: int | None = Field(default=None, ge=32)
    """Pictures with a longer side are trained on as smaller copies."""
    accept_proposals: bool = False
    """Train on boxes that a detector proposed although no person has confirmed them."""
    overrides: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Further Ultralytics training settings, such as ``optimizer = "AdamW"`` or ``mosaic = 0.0``."""


Precision = Literal["float32", "float16", "int8", "dynamic-int8"]
HeadChoice = Literal["auto", "end2end", "nms"]
ShippedHead = Literal["end2end", "nms", "raw"]
"""``end2end``: the model's own NMS-free head; ``nms``: greedy NMS in the graph; ``raw``: all anchors."""


class ParityLimits(Table):
    """How closely an exported file must agree with the PyTorch model, for one precision."""

    min_iou: float = Field(ge=0, le=1)
    """Least overlap of matched boxes."""
    max_score_delta: float = Field(ge=0, le=1)
    """Largest difference of matched scores."""
    max_unmatched: float = Field(ge=0, le=1)
    """Share of detections above the threshold that may disagree, or stay without a partner."""


PARITY_LIMITS: dict[Precision, ParityLimits] = {
    "float32": ParityLimits(min_iou=0.99, max_score_delta=0.01, max_unmatched=0.0),
    "float16": ParityLimits(min_iou=0.98, max_score_delta=0.02, max_unmatched=0.0),
    "dynamic-int8": ParityLimits(min_iou=0.85, max_score_delta=0.15, max_unmatched=0.2),
    "int8": ParityLimits(min_iou=0.8, max_score_delta=0.2, max_unmatched=0.3),
}


class Export(Table):
    """How a candidate is exported."""

    nms: bool = True
    """Put non-maximum suppression into the exported graph; the app runs none of its own."""
    head: HeadChoice = "auto"
    """Which head of an end-to-end model ships; `auto` takes the one that measures better."""
    precision: Precision = "float32"
    """Number format of the weights: float32, float16, int8 or dynamic-int8."""
    fraction: float = Field(default=1.0, gt=0, le=1)
    """Share of the training pictures that calibrates int8."""
    conf: float = Field(default=0.05, ge=0, le=1)
    """Detections below this score are padding."""
    iou: float = Field(default=0.7, ge=0, le=1)
    """Overlap above which the weaker of two boxes of a class is dropped."""
    max_det: int = Field(default=300, ge=1)
    """Rows of the output: the most detections on a picture."""
    parity_images: int = Field(default=32, ge=1)
    """Pictures on which the exported file must agree with PyTorch."""
    parity_threshold: float = Field(default=0.25, ge=0, le=1)
    """Detections above this score must find their partner."""
    parity: dict[Precision, ParityLimits] = Field(default_factory=lambda: dict(PARITY_LIMITS))
    """How closely, for each precision."""


class Gate(Table):
    """What a candidate must reach to be promoted."""

    min: dict[str, Share] = Field(default_factory=dict)
    """Floors by figure, such as ``any_hit_rate = 0.6``."""
    margin: dict[str, Share] = Field(default_factory=dict)
    """How much worse than the baseline a figure may be (non-inferiority)."""
    labels_must_not_regress: list[str] = Field(default_factory=list)
    """Labels whose hit rate may not fall."""
    max_latency_ms: float | None = Field(default=None, gt=0)
    """Longest time for a picture (p95), in milliseconds."""
    max_model_bytes: int | None = Field(default=None, gt=0)
    """Largest model file."""
    min_overlap_rows: int = Field(default=0, ge=0)
    """Least number of pictures that both sides were measured on."""
    cannot_tell: Literal["block", "warn"] = "warn"
    """What a comparison too small to decide does: `block` or `warn`."""
    allow_leakage: bool = False
    """Go on although the benchmark holds pictures that training has seen; its figures are then too good."""


class Release(Table):
    """How a release is named."""

    name: str = "RePath Model"
    """What the release is called."""
    version: str = "0.1.0"
    """The next version (semver)."""
    prefix: str = "yolo-repath"
    """File names of the promoted model: <prefix>.tflite and <prefix>.labels.json."""


class Baseline(Table):
    """What the candidate is compared with: a model and labels, or nothing (a first release)."""

    model: str | None = None
    """The .tflite in use."""
    labels: str | None = None
    """Its labels file."""
    epoch: int | None = Field(default=None, ge=0)
    """Without a model: an early checkpoint of the candidate's own training, ``epoch<N>.pt``.

    Training must keep it: ``save_period`` under ``[training.overrides]``, of which this is a multiple.
    """


class Image(Table):
    """The container image that commands can run in (``repath image build`` makes it)."""

    use: bool = False
    """Run every command of this workspace in the image, as ``repath --in-image`` does."""
    name: str = Field(default="repath-model", min_length=1)
    """Name and tag of the image, or its digest: name@sha256:…"""
    gpus: str | None = Field(default=None, pattern=r"^(all|[1-9]\d*)$")
    """GPUs that the container gets: `all`, or how many; not set: none."""
    mounts: list[str] = Field(default_factory=list)
    """Further folders that the container sees, for reading, or with :rw at their end for writing."""
    network: str | None = None
    """The container's network: `none`, `host`, or one of the engine's; not set: the engine's default."""
    shm_size: str = Field(default="2g", pattern=r"^\d+[bkmg]?$")
    """Shared memory, in which data loaders hand pictures to the training process."""


class Settings(Table):
    """``repath.toml``: the settings of a workspace."""

    paths: Paths = Field(default_factory=Paths)
    data: Data = Field(default_factory=Data)
    labels: Labels = Field(default_factory=Labels)
    kaggle: Kaggle = Field(default_factory=Kaggle)
    search: Search = Field(default_factory=Search)
    planning: Planning = Field(default_factory=Planning)
    download: Download = Field(default_factory=Download)
    benchmark: Benchmark = Field(default_factory=Benchmark)
    training: Training = Field(default_factory=Training)
    export: Export = Field(default_factory=Export)
    baseline: Baseline = Field(default_factory=Baseline)
    gate: Gate = Field(default_factory=Gate)
    release: Release = Field(default_factory=Release)
    image: Image = Field(default_factory=Image)
