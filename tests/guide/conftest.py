"""The guide, built once as the checks build it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import shown


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built guide; the build is strict."""
    pytest.importorskip("mkdocs", reason="the docs extra builds the guide")
    pytest.importorskip("material", reason="the docs extra builds the guide")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("guide") / "site"
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    listener = Listener(logging.WARNING)
    logger = logging.getLogger("mkdocs")
    logger.addHandler(listener)
    try:
        config = load_config(str(shown.ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
        config.plugins.on_startup(command="build", dirty=False)
        build(config)
        config.plugins.on_shutdown()
    finally:
        logger.removeHandler(listener)
    assert said == []
    return folder
