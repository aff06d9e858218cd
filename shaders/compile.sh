#!/bin/sh
# compile.sh SHADER OUTPUT ARGUMENTS: GLSL to validated, optimised, validated SPIR-V, written as the numbers of a C array,
# with a dependency file beside it. GLSLANG, SPIRV_VAL and SPIRV_OPT name the tools; the arguments go to the first.
# CHECKED=0: what the other two do not know is taken as the first makes it.
set -eu
shader=$1 output=$2
shift 2
raw=$output.raw.spv
"$GLSLANG" --target-env vulkan1.2 -S comp "$@" --depfile "$output.raw.d" "$shader" -o "$raw" >"$output.log" ||
    { cat "$output.log" >&2; exit 1; }
if [ "$CHECKED" = 1 ]; then
    "$SPIRV_VAL" --target-env vulkan1.2 "$raw"
    "$SPIRV_OPT" --target-env=vulkan1.2 -O "$raw" -o "$output.spv"
    "$SPIRV_VAL" --target-env vulkan1.2 "$output.spv"
else
    cp "$raw" "$output.spv"
fi
sed "s#^[^:]*:#$output:#" "$output.raw.d" >"$output.d"
od -An -v -tx4 "$output.spv" | sed 's/ \([0-9a-f]\{8\}\)/0x\1,/g' >"$output.tmp"
mv "$output.tmp" "$output"
