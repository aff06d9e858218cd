#!/usr/bin/env bash
# What the `weft` program says of devices that only the shim knows. usage: test_device_commands.sh WEFT MODEL SHIM CONFIG
set -u
weft=$1 model=$2 shim=$3 config=$4
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache
failed=0
# says NAME WANTED-STATUS TEXT COMMAND...: the status is 0 or not, the text stands in what is printed
says() {
    local name=$1 status=$2 text=$3 got=0; shift 3
    "$@" >"$dir/out" 2>&1 || got=1
    [ $got -eq "$status" ] && grep -qF -- "$text" "$dir/out" && return
    failed=1
    printf 'FAILED: %s: status %s, wanted: %s\n' "$name" $got "$text"
    sed 's/^/    /' "$dir/out" | head -20
}
device="--device vulkan:0,loader=$shim"

# a clock that stands still: one line, no table of zeros
SHIM_DEVICES=anv,stuck=1 says "stuck clock" 1 "the driver's timestamps do not advance" \
    "$weft" profile "$model" $device --prompt-tokens 4 --decode-tokens 0 --repeat 1
[ "$(wc -l <"$dir/out")" -eq 1 ] || { failed=1; echo "FAILED: stuck clock: more than one line"; cat "$dir/out"; }

# budgets
SHIM_DEVICES=nvidia,budget=3000000000,usage=3000000000 says "nothing left" 0 "0.0 MiB: it does NOT fit" \
    "$weft" inspect "$config" $device
SHIM_DEVICES=nvidia,budget=3000000000,usage=4000000000 says "used above the budget" 0 "0.0 MiB  it does NOT fit" \
    "$weft" memory "$config" $device
SHIM_DEVICES=nvidia,usage=25769803776 says "nothing left to load into" 1 "vulkan has 0 MiB, but" \
    "$weft" generate "$model" --prompt a --max-tokens 1 $device

# memory that runs out though the budget had it
SHIM_DEVICES=nvidia,room=300 says "spilled" 0 "note: NVIDIA GeForce RTX 4090 has too little memory:" \
    "$weft" generate "$model" --prompt a --max-tokens 1 $device

# limits
SHIM_DEVICES=v3dv says "a limit" 1 "maxPerStageDescriptorStorageBuffers 8; 16 are needed" \
    "$weft" generate "$model" --prompt a --max-tokens 1 $device
exit $failed
