"""Copy what the paths name below ``$ACT_STATE/artifacts/<name>``, with the rules of actions/upload-artifact.

Folders are kept from the least common ancestor of all paths on; dot files are left out; a name is taken once.
"""

import os
import shutil
import sys
from pathlib import Path

workspace = Path(os.environ["GITHUB_WORKSPACE"])
target = Path(os.environ["ACT_STATE"]) / "artifacts" / os.environ["NAME"]
hidden = os.environ["HIDDEN"] == "true"
files: dict[Path, None] = {}
roots = []
for line in filter(None, map(str.strip, os.environ["PATHS"].splitlines())):
    parts = (workspace / line).parts
    wild = next((i for i, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    roots.append(Path(*parts[:wild]))
    found = roots[-1].glob("/".join(parts[wild:])) if wild < len(parts) else [roots[-1]]
    for path in found:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            dotted = any(part.startswith(".") for part in file.relative_to(workspace).parts)
            if file.is_file() and (hidden or not dotted):
                files[file] = None
if not files:
    kind = "error" if os.environ["NONE_FOUND"] == "error" else "warning"
    sys.stdout.write(f"::{kind}::no files found: {os.environ['PATHS']}\n")
    sys.exit(kind == "error")
if target.exists():
    if os.environ["OVERWRITE"] != "true":
        sys.exit("::error::an artifact with this name already exists on the workflow run (409)")
    shutil.rmtree(target)
base = Path(os.path.commonpath(roots))
base = base if base.is_dir() else base.parent
for file in files:
    place = target / file.relative_to(base)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
sys.stdout.write(f"{len(files)} files in artifact {target.name}\n")
with Path(os.environ["GITHUB_OUTPUT"]).open("a") as out:
    out.write("artifact-id=1\n")
