#!/bin/sh
# compile.sh ENVIRONMENT SHADER OUTPUT [--check] -- ARGUMENTS: GLSL to validated, optimised, validated SPIR-V, written as the
# numbers of a C array, with a dependency file beside it. GLSLANG, SPIRV_VAL and SPIRV_OPT name the tools.
set -eu
environment=$1 shader=$2 output=$3
shift 3
check=
if [ "$1" = --check ]; then
    check=yes
    shift
fi
shift
raw=$output.raw.spv
"$GLSLANG" --target-env "$environment" -S comp "$@" --depfile "$output.raw.d" "$shader" -o "$raw" >"$output.log" ||
    { cat "$output.log" >&2; exit 1; }
if [ -n "$check" ]; then
    "$SPIRV_VAL" --target-env "$environment" "$raw"
    "$SPIRV_OPT" --target-env="$environment" -O "$raw" -o "$output.spv"
    "$SPIRV_VAL" --target-env "$environment" "$output.spv"
else
    cp "$raw" "$output.spv"
fi
sed "s#^[^:]*:#$output:#" "$output.raw.d" >"$output.d"
od -An -v -tx4 "$output.spv" | sed 's/ \([0-9a-f]\{8\}\)/0x\1,/g' >"$output.tmp"
mv "$output.tmp" "$output"
