#!/bin/sh
# Make an installed tree ready for the image: byte-compiled, without the libraries' own tests, the same bytes each time.
# Usage: compile.sh PREFIX   (it will be merged into /opt/venv)
set -eu

prefix=$1
libraries=$(echo "$prefix"/lib/python3*/site-packages)
[ -d "$libraries" ] || exit 0

# Their tests, and what only a compiler could use. Licences stay, wherever their paths lead.
find "$libraries" -name '*.dist-info' -prune -o -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
rm -rf "$libraries/torch/include" "$libraries/torch/share/cmake"
find "$libraries" -type f \( -name conftest.py -o -name '*_test.py' -o -name '*.pyx' -o -name '*.a' \) -delete

# Some libraries ship files in the syntax of another Python as data; those are passed over, as pip does.
/opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$prefix" -p /opt/venv "$libraries" > /dev/null || true

find "$prefix" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-315532800}" {} +
