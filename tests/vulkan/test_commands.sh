#!/usr/bin/env bash
# Every command of the `weft` program on the Vulkan driver that the environment names, against what it does on the
# processor. usage: test_commands.sh WEFT MODEL SHIM [self-test]. With the last, `devices --test` alone, which compiles
# every kernel for every format. Exit status 77: no driver.
set -u
weft=$1 model=$2 shim=$3 part=${4-}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAILED: $1"; [ $# -lt 2 ] || printf '  %s\n' "${@:2}"; }
same() { if [ "$2" = "$3" ]; then ok; else bad "$1" "expected: $2" "got:      $3"; fi; }
holds() { if eval "$2"; then ok; else bad "$1: $2"; fi; }
fails() { # NAME TEXT COMMAND...
    local name=$1 text=$2; shift 2
    if "$@" >"$dir/out" 2>"$dir/err"; then bad "$name: succeeded"; return; fi
    case "$(cat "$dir/err")" in *"$text"*) ok ;; *) bad "$name" "wanted: $text" "got: $(cat "$dir/err")" ;; esac
}
gpu="--device vulkan:0"
# sampled NAME: as sample_takes_slow() in tests/sample.h has it
sampled() {
    [ -n "${WEFT_TEST_BRIEF-}" ] && [ -n "${WEFT_TEST_SAMPLE-}" ] || return 0
    local hash; hash=$(printf '%s' "$WEFT_TEST_SAMPLE $1" | cksum | cut -d ' ' -f 1)
    [ $((hash / 256 % (2 * ${WEFT_TEST_SAMPLE##*/}))) = 0 ]
}
# one text of 24 tokens, then shorter ones, and no room for longer ones: on SwiftShader a token takes a quarter of a
# second, and one that might have been there nearly as long
tell() { "$weft" generate "$model" --prompt "Once upon a time" --context 64 --chunk 16 --max-tokens "$@"; } # TOKENS ...
say() { tell 10 "$@"; }

"$weft" devices | grep -q '^vulkan:0' || { "$weft" devices; exit 77; }

if [ "$part" = self-test ]; then
    "$weft" devices --test vulkan:0 >"$dir/tested" || bad "devices --test" "$(grep FAILED "$dir/tested")"
    holds "all kernels pass" '[ "$(grep -c " passed" "$dir/tested")" -ge 20 ] && ! grep -q FAILED "$dir/tested"'
    holds "verdicts are kept" 'ls "$dir"/cache/weft/*.verdicts >/dev/null'
    echo "$passed passed, $failed failed"
    exit "$failed"
fi

# ---- devices ----
holds "devices --json" '"$weft" devices --json | grep -q "\"name\": \"vulkan\""'
want=$(tell 24 --device cpu)
fails "no such device" "no such device" say --device vulkan:77
fails "nothing of that name to do without" "no feature or kernel of that name (subgroup, " say --device vulkan:0,without=nonsense
name=$("$weft" devices --json | sed -n 's/.*"model": "\(.*\)",$/\1/p' | head -1)
holds "a name can be pasted" '"$weft" logits "$model" --tokens 1 --device "vulkan:$name,without=dot,cpu" --output "$dir/l" 2>"$dir/err" && grep -qF "all on $name" "$dir/err"'
same "a GPU that is not there is left out" "$(say --device cpu)" "$(say --device vulkan:77,cpu 2>/dev/null)"
fails "unknown option" "unknown option 'nonsense" say --device vulkan:0,nonsense=1

# ---- text ----
same "greedy text" "$want" "$(tell 24 $gpu)"
holds "its kernels' verdicts are kept" 'ls "$dir"/cache/weft/*.verdicts >/dev/null'
want=$(say --device cpu)
sampled strict && same "greedy text, strict" "$want" "$(say $gpu --strict --no-cache)"
sampled exact && same "exact" "$(say --device cpu --exact --weights f32)" "$(say $gpu --exact --weights f32)"
sampled bindings && same "small bindings" "$want" "$(say $gpu --max-binding 2M)"
for round in written read; do # weights in several parts, packed from other types
    same "weights are $round" "$(tell 2 --device cpu --weights q8_0)" \
        "$(tell 2 $gpu --weights q8_0 --max-binding 2M --cache-weights "$dir/kept")"
done
holds "weights are kept" '[ "$(ls "$dir/kept" | wc -l)" -gt 4 ]'
sampled sampling && same "sampled text" "$(say --device cpu --exact --temperature 0.8 --top-k 40 --seed 3)" \
    "$(say $gpu --exact --temperature 0.8 --top-k 40 --seed 3)"
for w in f32 f16 bf16 q8_0 q4_0; do
    sampled "weights $w" || continue
    holds "weights $w pass --check" 'tell 2 $gpu --weights $w --check >/dev/null 2>"$dir/err"'
    holds "check says so" 'grep -q " 0 differ" "$dir/err"'
done
holds "logprobs" 'tell 2 $gpu --logprobs 3 --json | grep -q logprobs'

# ---- several devices ----
same "split by hand" "$want" "$(say --device vulkan:0,cpu --split 2 2>"$dir/err")"
holds "the split is told" 'grep -q "^layers: 2 on .*, 4 on " "$dir/err"'
same "split by memory" "$want" "$(say --device vulkan:0,memory=8M,cpu 2>"$dir/err")"
holds "that split is told" 'grep -qE "^layers: [1-5] on .*, [1-5] on " "$dir/err"'
fails "too small" "are needed" say --device vulkan:0,memory=8M
fails "too small for a tensor" "larger than" say $gpu --max-binding 1K
fails "a split of what is not there" "--split" say $gpu --split 1,2,3

# ---- devices that nobody here has (shim_device.h) ----
as() { local devices=$1; shift; SHIM_DEVICES=$devices "$weft" "$@" --no-cache --device "vulkan:0,loader=$shim"; }
fails "a clock that stands still" "the driver's timestamps do not advance" \
    as anv,stuck=1 profile "$model" --max-binding 16M --prompt-tokens 4 --decode-tokens 1 --repeat 1
as radv,budget=3000000000,usage=3000000000 inspect "${model%/*/*}/configs/gpt-neox-20b.json" >"$dir/full" || bad "inspect of a full device"
holds "a device with nothing left" 'grep -q "the device has  *0.0 MiB: it does NOT fit" "$dir/full"'
same "text on a device with little room" "$(say --device cpu)" "$(as radv,room=3000000 generate "$model" \
    --prompt "Once upon a time" --context 64 --chunk 16 --max-tokens 10 2>"$dir/err")"
holds "what lies in the host's memory is told" 'grep -q "has too little memory: [1-9][0-9]* MiB lie in the host.s" "$dir/err"'

# ---- the other commands ----
"$weft" logits "$model" --tokens 1,2,3,4,5 $gpu --output "$dir/logits" || bad "logits"
same "logits: size" $((5 * 4096 * 4)) "$(wc -c <"$dir/logits" | tr -d ' ')"
for d in vulkan:0 cpu; do
    "$weft" embed "$model" --prompt "Once upon a time" --device $d --output "$dir/embed.$d" || bad "embed on $d"
    od -An -tf4 -v "$dir/embed.$d" | tr -s ' ' '\n' | sed '/^$/d' >"$dir/numbers.$d"
done
holds "hidden states are the CPU's" 'paste "$dir/numbers.cpu" "$dir/numbers.vulkan:0" | awk "{ n++; s += \$1 ^ 2; e += (\$1 - \$2) ^ 2 }
    END { exit !(n >= 256 && e < 1e-4 * s) }"'
tell 120 --device cpu --ignore-eos >"$dir/story"
for d in vulkan:0 cpu; do
    "$weft" perplexity "$model" --file "$dir/story" --context 64 --stride 32 --device $d --json >"$dir/p.$d" || bad "perplexity"
done
number() { grep -oE '"perplexity": [0-9.]+' "$1" | grep -oE '[0-9.]+$'; }
holds "perplexity is the CPU's" 'awk -v a="$(number "$dir/p.cpu")" -v b="$(number "$dir/p.vulkan:0")" \
    "BEGIN { exit !(a > 1 && (a - b) ^ 2 < (0.01 * a) ^ 2) }"'
holds "inspect" '"$weft" inspect "$model" $gpu | grep -q "memory on vulkan"'
"$weft" graph "$model" --stage planned $gpu >"$dir/plan" || bad "graph"
holds "planned kernels" 'grep -q "matvec.*/f16" "$dir/plan" && grep -q "attention_.*/f16" "$dir/plan"'
"$weft" bench "$model" $gpu --prompt-tokens 16 --decode-tokens 4 --repeat 1 --json >"$dir/bench" || bad "bench"
same "bytes returned per greedy token" 8 "$(grep -oE '"bytes_returned": [0-9]+' "$dir/bench" | grep -oE '[0-9]+$')"
holds "one submit per token" 'grep -q "\"submits\": 1" "$dir/bench"'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
