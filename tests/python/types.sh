#!/bin/sh
# types.sh PYTHON FOLDER CACHE: the package and its examples are typed: mypy --strict has nothing to say, and it finds what is
# wrong. Of the tests, whose functions need no annotations, it looks at all bodies: they use the package as it says it is.
set -eu
"$1" -c 'import mypy' 2>/dev/null || { echo "mypy is not there (Debian: mypy)"; exit 77; }
mkdir -p "$3"
tests=$(cd "$(dirname "$0")" && pwd)
examples=$(cd "$tests/../../python/examples" && pwd)
cd "$2"
"$1" -m mypy --strict --cache-dir "$3" -p weft
MYPYPATH=$2 "$1" -m mypy --strict --cache-dir "$3" "$examples"/*.py
MYPYPATH=$2:$examples:$tests "$1" -m mypy --strict --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls \
    --check-untyped-defs --cache-dir "$3" "$tests"/*.py
cat >"$3/wrong.py" <<'END'
import weft
row: str = weft.Model("x").session().logits([1])
weft.Graph().input("f32", "dims", 3)
END
if MYPYPATH=$2 "$1" -m mypy --strict --cache-dir "$3" "$3/wrong.py" >"$3/out"; then
    echo "mypy found nothing wrong with what is wrong"
    exit 1
fi
grep -q 'wrong.py:2: error: Incompatible types in assignment' "$3/out" && grep -q 'wrong.py:3: error: .*arg-type' "$3/out" ||
    { cat "$3/out"; exit 1; }
