"""How long a help page takes as a whole process, beside a Python that imports click alone, in the same run.

python benchmarks/bench_help.py [--turns 20]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

MAX_TIMES = 2.0
PAGES = (["--help"], ["data", "--help"], ["training", "train-detector-from-annotation", "--help"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=20, help="best of so many, in turn")
    turns = parser.parse_args().turns
    commands = {"import click": [sys.executable, "-c", "import click"]}
    commands |= {f"repath {' '.join(page)}": [sys.executable, "-m", "pipeline", *page] for page in PAGES}
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(turns):
        for name, command in commands.items():
            best[name] = min(best[name], seconds(command))
    plain = best["import click"]
    for name, spent in best.items():
        print(f"{1000 * spent:7.1f} ms   {spent / plain:5.2f}   {name}")
    ratio = best["repath --help"] / plain
    print(f"repath --help takes {ratio:.2f} times as long (limit {MAX_TIMES:g})")
    return 0 if ratio <= MAX_TIMES else 1


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
