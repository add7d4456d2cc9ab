"""Ultralytics, kept from downloading, installing, writing to the home folder and talking on stdout."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from pipeline.support.errors import MissingExtraError

_NEEDED = ("torch", "ultralytics")
_NEEDED_TO_EXPORT = ("litert_torch", "ai_edge_quantizer", "ai_edge_litert")


def prepare(*, why: str, export: bool = False) -> None:
    """Check that the libraries are installed, and set what Ultralytics reads when it is imported.

    Args:
        why: what needs them, for the error.
        export: whether the exporters are needed as well.

    Raises:
        MissingExtraError: one is not installed.
    """
    for name in (*_NEEDED, *(_NEEDED_TO_EXPORT if export else ())):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(name.replace("_", "-"), "train", why=why)
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_OFFLINE"] = "true"
    # Settings, fonts and the scripts of multi-GPU runs: gone with this process.
    for variable in ("YOLO_CONFIG_DIR", "MPLCONFIGDIR"):
        if variable not in os.environ:
            folder = tempfile.mkdtemp(prefix="repath-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            os.environ[variable] = folder
            if variable == "YOLO_CONFIG_DIR":
                _place_fonts(Path(folder) / "Ultralytics")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    # What cuBLAS needs to repeat itself bit by bit; Ultralytics asks for deterministic kernels.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _place_fonts(folder: Path) -> None:
    """Put a font where Ultralytics looks for its own, which it would otherwise ask the network for.

    It asks before every training, and again for every picture that it draws.
    """
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib is None or matplotlib.origin is None:
        return
    font = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    if font.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("Arial.ttf", "Arial.Unicode.ttf"):
            shutil.copyfile(font, folder / name)


@contextlib.contextmanager
def output_to(log: Path | None) -> Iterator[TextIO]:
    """Send everything that is printed meanwhile, also by C++ and by child processes, to a log file.

    Args:
        log: the file, appended to; None drops the output.

    Yields:
        The user's own stderr, for progress.
    """
    with contextlib.ExitStack() as stack:
        user = _users_stderr(stack)
        stream = stack.enter_context(
            Path(os.devnull if log is None else log).open(
                "a", encoding="utf-8", errors="replace", buffering=1
            )
        )
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor in (1, 2):
            saved = os.dup(descriptor)
            os.dup2(stream.fileno(), descriptor)
            stack.callback(_restore, saved, descriptor)
        stack.enter_context(contextlib.redirect_stdout(stream))
        stack.enter_context(contextlib.redirect_stderr(stream))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_ultralytics_logs_to(stream))
        yield user


def _users_stderr(stack: contextlib.ExitStack) -> TextIO:
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):  # stderr is no file: a test or a notebook captures it
        return sys.stderr
    return stack.enter_context(os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", buffering=1))


def _restore(saved: int, descriptor: int) -> None:
    os.dup2(saved, descriptor)
    os.close(saved)


@contextlib.contextmanager
def _ultralytics_logs_to(stream: TextIO) -> Iterator[None]:
    # Its handler holds the stdout there was when it was first imported.
    logger = logging.getLogger("ultralytics")
    importing = "ultralytics" not in sys.modules
    handler = logging.StreamHandler(stream)
    before = [] if importing else list(logger.handlers)
    for old in before:
        logger.removeHandler(old)
    logger.addHandler(handler)
    try:
        yield
    finally:
        for held in list(logger.handlers):
            logger.removeHandler(held)
        # The stream that was current at the import is closed by now.
        logger.addHandler(logging.NullHandler())
