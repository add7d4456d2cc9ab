"""What is installed here: Python distributions and Debian packages. `inspect` runs this in an image."""

from __future__ import annotations

import json
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

_DPKG_FORMAT = "${db:Status-Abbrev}\\t${binary:Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\n"


def contents() -> dict[str, Any]:
    """Return distributions (name, version, licence), Debian packages, and the system they belong to."""
    return {"python": distributions(), "debian": debian_packages(), "system": system()}


def distributions() -> list[dict[str, str | None]]:
    """Return the Python distributions of this environment, sorted by name."""
    found = {}
    for each in metadata.distributions():
        told = dict(each.metadata.json)
        name = str(told.get("name") or "")
        if name:
            terms = told.get("license_expression") or told.get("license")
            found[name.lower()] = {"name": name, "version": each.version, "license": _one_line(terms)}
    return [found[name] for name in sorted(found)]


def debian_packages() -> list[dict[str, str]]:
    """Return the Debian packages that are installed, sorted by name; none where there is no dpkg."""
    try:
        done = subprocess.run(  # noqa: S603
            ["dpkg-query", "--show", f"--showformat={_DPKG_FORMAT}"],  # noqa: S607 - the image's own
            capture_output=True,
            check=True,
            text=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return []
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return sorted(
        (
            {"name": name.split(":")[0], "version": version, "architecture": architecture, "source": source}
            for status, name, version, architecture, source in rows
            if status.startswith("ii")
        ),
        key=lambda row: (row["name"], row["architecture"]),
    )


def system(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Return ``ID`` and ``VERSION_ID`` of /etc/os-release, where they are told."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    return {key.lower(): told[key].strip("\"'") for key in ("ID", "VERSION_ID") if key in told}


def _one_line(text: object) -> str | None:
    """Return a licence as one short line; some put the whole text there."""
    line = " ".join(str(text or "").split("\n", 1)[0].split())
    return line if line and len(line) <= 100 and line != "UNKNOWN" else None


if __name__ == "__main__":
    print(json.dumps(contents()))  # noqa: T201 - a program of its own
