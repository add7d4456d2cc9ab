"""Ultralytics, kept from the network."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("ultralytics")

_ASKS = """
import urllib.request, requests, socket
from pipeline.support import ultralytics_library as library
library.prepare(why="This test")

def no_network(*args, **kwargs):
    raise AssertionError("the network was asked")

with library.output_to(None):
    from ultralytics.utils import checks
    socket.create_connection = urllib.request.urlopen = requests.Session.request = no_network
    found = [checks.check_font(name) for name in ("Arial.ttf", "Arial.Unicode.ttf")]
print([path.is_file() for path in found])
"""


@pytest.mark.train
def test_fonts_are_not_asked_for_over_the_network() -> None:
    # In a process of its own: the folder of its settings is chosen when Ultralytics is imported.
    environ = {name: value for name, value in os.environ.items() if name != "YOLO_CONFIG_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", _ASKS], env=environ, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[True, True]\n", done.stderr
