#!/bin/sh
# wheel.sh PYTHON ROOT WORK [BUILD]: pip installs the source distribution in a fresh virtual environment, away from the tree,
# and the package's tests, which it has, too, pass there. With the folder of a build its library goes into the wheel; else
# all is compiled, as pip does it for everybody. Needs PyPI for scikit-build-core, which Debian 12 does not have: where
# PyPI cannot be reached the test is skipped, and says so.
set -eu
python=$1 root=$2 work=$3 build=${4-}
unset PYTHONPATH PYTHONDONTWRITEBYTECODE
[ -n "$build" ] || unset WEFT_PROGRAM WEFT_OWN_MODEL # of a build with other options: not the same bits
rm -rf "$work"
mkdir -p "$work/out"
site=
[ -z "$build" ] || site=--system-site-packages # cffi and numpy
"$python" -m venv $site "$work/venv" || { echo "python3 -m venv does not work (Debian: python3-venv)"; exit 77; }
venv=$work/venv/bin
"$python" -m venv $site "$work/tools"
"$work/tools/bin/pip" -q install --retries 1 'scikit-build-core>=0.10' >"$work/pip.log" 2>&1 ||
    { cat "$work/pip.log"; echo "SKIPPED: PyPI cannot be reached, and scikit-build-core is not here"; exit 77; }

cd "$root/python"
"$work/tools/bin/python" -B -c "import build_backend; build_backend.build_sdist('$work/out')" >"$work/sdist.log" 2>&1 ||
    { cat "$work/sdist.log"; exit 1; }
cd "$work"
sdist=$(ls out/*.tar.gz)
tar -tzf "$sdist" >list
! grep -E '__pycache__|\.git/|\.so$|/build/' list || { echo "$sdist has what nobody needs"; exit 1; }

# As pip says it: what went wrong is at the end.
try() {
    "$@" >pip.log 2>&1 || { tail -60 pip.log; echo "failed: $*"; exit 1; }
}
if [ "$build" ]; then
    try tools/bin/pip wheel --no-deps --no-build-isolation --no-cache-dir -w out \
        --config-settings=cmake.define.WEFT_PYTHON_PREBUILT="$build" "$sdist"
    wheel=$(ls out/*.whl)
    case $wheel in *-py3-none-linux_*.whl) ;; *) echo "$wheel: not for every Python 3 of a platform"; exit 1 ;; esac
    "$python" -m zipfile -l "$wheel" >files
    for file in libweft.so py.typed _ffi.py session.py; do
        grep -q "^weft/$file" files || { echo "$wheel: no $file"; exit 1; }
    done
    ! grep -vE '^(weft/|weft-[0-9.]*dist-info/|File Name)' files || { echo "$wheel has more than the package"; exit 1; }
    try "$venv/pip" install --no-deps "$wheel"
else
    try "$venv/pip" install --no-cache-dir "$sdist"
fi

# Its tests, of its own files, by the installed package.
tar -xzf "$sdist"
cd "$(basename "$sdist" .tar.gz)"
! "$venv/python" -c 'import weft' 2>../import.log || { echo "the source was imported, which has no library"; exit 1; }
grep -q 'is the source of the package' ../import.log || { cat ../import.log; exit 1; }
cd csrc/tests/python
"$venv/python" -c '
import pathlib, sysconfig, weft
assert pathlib.Path(weft.__file__).is_relative_to(sysconfig.get_path("platlib")), weft.__file__'
"$venv/python" -m unittest
echo "sdist: $(wc -c <"$work/$sdist") bytes"
rm -rf "$work"
