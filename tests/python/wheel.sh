#!/bin/sh
# wheel.sh PYTHON ROOT WORK BUILD|"": a source distribution and a wheel of it, installed in a fresh virtual environment and used
# there. With the folder of a build its library goes into the wheel, else all of it is compiled. Needs PyPI for
# scikit-build-core, which Debian 12 does not have: where PyPI cannot be reached the test is skipped, and says so.
set -eu
python=$1 root=$2 work=$3 build=$4
unset PYTHONPATH PYTHONDONTWRITEBYTECODE
rm -rf "$work"
mkdir -p "$work/out"
"$python" -m venv --system-site-packages "$work/venv" || { echo "python3 -m venv does not work (Debian: python3-venv)"; exit 77; }
venv=$work/venv/bin
"$venv/pip" -q install --retries 1 'scikit-build-core>=0.10' >"$work/pip.log" 2>&1 ||
    { cat "$work/pip.log"; echo "SKIPPED: PyPI cannot be reached, and scikit-build-core is not here"; exit 77; }

cd "$root/python"
"$venv/python" -B -c "import build_backend; build_backend.build_sdist('$work/out')" >"$work/sdist.log" 2>&1 || { cat "$work/sdist.log"; exit 1; }
sdist=$(ls "$work"/out/*.tar.gz)
for file in csrc/graph/op.def csrc/models/arch/llama.c csrc/shaders/matmul_any.comp weft/session.py PKG-INFO; do
    tar -tzf "$sdist" | grep -q "/$file\$" || { echo "$sdist: no $file"; exit 1; }
done
! tar -tzf "$sdist" | grep -E 'bundled|__pycache__|\.git/' || { echo "$sdist has what nobody needs"; exit 1; }

if [ "$build" ]; then
    set -- --config-settings=cmake.define.WEFT_PYTHON_PREBUILT="$build"
else
    set -- --config-settings=cmake.define.WEFT_VULKAN=OFF
fi
cd "$work"
"$venv/pip" -q wheel --no-deps --no-build-isolation --no-cache-dir "$@" -w out "$sdist" >"$work/wheel.log" 2>&1 ||
    { tail -40 "$work/wheel.log"; exit 1; }
wheel=$(ls out/*.whl)
case $wheel in *-py3-none-linux_*.whl) ;; *) echo "$wheel: not for every Python 3 of a platform"; exit 1 ;; esac
"$venv/python" -m zipfile -l "$wheel" >"$work/files"
for file in libweft.so py.typed _ffi.py session.py; do
    grep -q "^weft/$file" "$work/files" || { echo "$wheel: no $file"; exit 1; }
done
! grep -vE '^(weft/|weft-[0-9.]*dist-info/|File Name)' "$work/files" || { echo "$wheel has more than the package"; exit 1; }

"$venv/pip" -q install --no-deps "$wheel"
"$venv/python" - "$root/models/bundled/tiny-stories-neox" <<'END'
import sys, sysconfig, pathlib
import weft

assert pathlib.Path(weft.__file__).is_relative_to(sysconfig.get_path("platlib")), weft.__file__
story = weft.Model(sys.argv[1]).session("cpu,threads=1").generate("Once upon a time", max_tokens=8).run()
assert story.text == ", there was a little girl named Lily", story.text
print("installed:", weft.__version__, weft.__file__)
END
"$venv/pip" -q uninstall -y weft
echo "sdist: $(wc -c <"$sdist") bytes, wheel: $(wc -c <"$wheel") bytes"
