"""Write docs/schemas from the contracts; with --check, say which file is not current and exit 1."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.contracts.schemas import FILES, schema_text

FOLDER = Path(__file__).parent / "schemas"


def main() -> int:
    """Write the schemas, or compare them with what stands there."""
    wanted = {f"{kind}.schema.json": schema_text(kind) for kind in FILES}
    if "--check" in sys.argv[1:]:
        there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.schema.json")}
        stale = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
        for name in stale:
            sys.stderr.write(f"docs/schemas/{name} is not current: run `make schemas`\n")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.schema.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
