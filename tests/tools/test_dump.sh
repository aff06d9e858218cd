#!/usr/bin/env bash
# `weft graph` and `weft memory` as data: documents by the schema and by their own sums, drawings by Graphviz.
# usage: test_dump.sh WEFT MODEL ROOT. Skipped (77) where python3-jsonschema or Graphviz is missing.
set -u
weft=$1 model=$2 root=$3
python3 -c 'import jsonschema' 2>/dev/null || { echo "python3-jsonschema is not installed"; exit 77; }
command -v dot >/dev/null || { echo "Graphviz is not installed"; exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export VK_ICD_FILENAMES=$dir/none.json VK_DRIVER_FILES=$dir/none.json XDG_CACHE_HOME=$dir/cache
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAILED: $1"; [ $# -lt 2 ] || printf '  %s\n' "${@:2}"; }
holds() { if eval "$2"; then ok; else bad "$1: $2"; fi; }
same() { if [ "$2" = "$3" ]; then ok; else bad "$1" "expected: $2" "got:      $3"; fi; }
fails() {
    local name=$1 status=$2 text=$3 got; shift 3
    "$@" >"$dir/out" 2>"$dir/err" </dev/null; got=$?
    same "$name: exit status" "$status" "$got"
    same "$name: lines on stderr" 1 "$(wc -l <"$dir/err" | tr -d ' ')"
    case "$(cat "$dir/err")" in "weft: "*"$text"*) ok ;; *) bad "$name: message" "wanted: $text" "got: $(cat "$dir/err")" ;; esac
}
check() { python3 "$root/tests/tools/check_dump.py" "$root/docs/dump-1.schema.json" "$@"; }
# document NAME ARGUMENTS...: writes $dir/NAME.json and checks it
document() {
    local name=$1; shift
    "$weft" "$@" --format json >"$dir/$name.json" || { bad "$name: weft $*"; return; }
    local said; said=$(check json "$dir/$name.json") && ok || bad "$name" "$said"
}

# ---- documents ----
cat >"$dir/text" <<'TEXT'
weft-graph 1
extent tokens 8
%1 = input "x" : f32[tokens, 4]
%2 = weight "w" : q8_0[32, 32]
%3 = constant : f32[4] data 1, 0x7fc00000, 0.1, -2.5
%4 = add %1, %3 : f32[tokens, 4] @ "a\"b.0"
%5 = gelu %4 : f32[tokens, 4] @ "a\"b.0"
output "\\ y" = %5
TEXT
big=$root/models/configs/gpt-neox-20b.json
for stage in built optimised planned; do document "bundled-$stage" graph "$model" --stage $stage --device cpu; done
document big graph "$big" --stage planned --device cpu
document tight graph "$model" --stage planned --device cpu --context 3 --chunk 1 --tokens 1
document tokens graph "$model" --stage planned --device cpu --tokens 7
document text graph "$dir/text" --stage planned --device cpu
document null graph "$model" --stage planned --device null --weights q4_0
document two graph "$model" --stage planned --device cpu,threads=1,null --split 3
document memory memory "$model" --device cpu
document memory-two memory "$big" --device null,cpu --split 40
same "values of extents" '[["tokens",512,7],["rows",8,8],["sequences",1,1],["pages",8,8],["pages_each",8,8]]' "$(python3 -c '
import json, sys
p = json.load(open(sys.argv[1]))["programs"][0]
print(json.dumps([[e["name"], e["bound"], e["value"]] for e in p["extents"]], separators=(",", ":")))' "$dir/tokens.json")"
same "names come back as they were" 'a"b.0 \ y [1, None, 0.1, -2.5]' "$(python3 -c '
import json, sys
s = json.load(open(sys.argv[1]))["programs"][0]["stages"][0]
print(s["nodes"][3]["scope"], s["outputs"][0]["name"], s["nodes"][2]["data"])' "$dir/text.json")"
same "one program when asked" decode "$(python3 -c '
import json, sys
print(*[p["name"] for p in json.load(sys.stdin)["programs"]])' < <("$weft" graph "$model" --stage planned --device cpu \
    --program decode --format json))"
holds "the text of one program" '[ "$("$weft" graph "$model" --stage planned --device cpu --program decode)" != \
    "$("$weft" graph "$model" --stage planned --device cpu --program prompt)" ]'
fails "programs are a planned model's" 2 "--program" "$weft" graph "$model" --program decode
"$weft" graph "$model" --stage planned --device cpu --format json --output "$dir/file.json" >"$dir/out" || bad "--output"
holds "--output holds what standard output would" 'cmp -s "$dir/file.json" "$dir/bundled-planned.json" && [ ! -s "$dir/out" ]'

# ---- drawings ----
# drawing NAME ARGUMENTS...: rendered, every node drawn. ALL=document: all of its nodes
drawing() {
    local name=$1; shift
    "$weft" "$@" --format dot >"$dir/$name.dot" || { bad "$name: weft $*"; return; }
    timeout 60 dot -Tsvg "$dir/$name.dot" -o "$dir/$name.svg" || { bad "$name: dot"; return; }
    local said; said=$(check dot "$dir/$name.dot" "$dir/$name.svg" ${ALL:-}) && ok || bad "$name" "$said"
}
nodes() { grep -cE '^  [nor][0-9]+(_[0-9]+)? \[' "$dir/$1.dot"; }
for stage in built optimised planned; do drawing "big-$stage" graph "$big" --stage $stage --device cpu; done
holds "44 layers that are alike are drawn once" '[ $(nodes big-built) -lt 60 ] && grep -q "44 layers" "$dir/big-built.dot"'
ALL=$dir/big.json drawing big-all graph "$big" --stage planned --device cpu --unfold
same "44 clusters" 44 "$(grep -c 'subgraph cluster_' "$dir/big-all.dot")"
drawing big-some graph "$big" --stage optimised --layers 2-3
same "layers 0-1, 2, 3 and 4-43" "0 2 3 4" "$(echo $(sed -n 's/.*subgraph cluster_\([0-9]*\) .*/\1/p' "$dir/big-some.dot"))"
printf 'weft-graph 1\n%%1 = input "a\377\303\251&<" : f32[4]\noutput "y" = %%1\n' >"$dir/bytes"
drawing bytes graph "$dir/bytes"
document bytes graph "$dir/bytes"
drawing text-dot graph "$dir/text"
holds "a constant's values" 'grep -q "= 1, 0x7fc00000, 0.1, -2.5" "$dir/text-dot.dot"'
for stage in built planned; do
    "$weft" graph "$model" --stage $stage --device cpu --format model-explorer >"$dir/explorer" || bad "model-explorer"
    said=$(check explorer "$dir/explorer" "$dir/bundled-$stage.json") && ok || bad "model-explorer $stage" "$said"
done

# ---- memory ----
"$weft" memory "$big" --device cpu >"$dir/memory" || bad "memory"
holds "memory: at most 100 columns" '! grep -qE "^.{101}" "$dir/memory"'
holds "memory: what does not repeat is short" '[ $(wc -l <"$dir/memory") -lt 100 ] && grep -q "times more" "$dir/memory"'
# rows that are left out are those that the text says: written out, all are the plan's
"$weft" memory "$model" --device cpu >"$dir/rows" || bad "memory of the bundled model"
said=$(python3 - "$dir/rows" "$dir/memory.json" <<'PYTHON' 2>&1
import json, re, sys
text = open(sys.argv[1]).read()
for program in json.load(open(sys.argv[2]))["programs"]:
    live, rows = program["plan"]["memory"][0]["live"], []
    for line in text.split(f"{program['name']} program, device 0: the arena")[1].split("in use at")[0].splitlines():
        if row := re.match(r" *(\d+)(?:-(\d+))? +([\d.]+) \|", line):
            rows.append((int(row[1]), int(row[2] or row[1]), row[3]))
        elif more := re.match(r" *to (\d+) +the last (\d+) rows (\d+) times more", line):
            for first, last, size in rows[-int(more[2]):] * int(more[3]):
                rows.append((rows[-1][1] + 1, rows[-1][1] + 1 + last - first, size))
            assert rows[-1][1] == int(more[1]), line
    assert [r[0] for r in rows] == [0] + [r[1] + 1 for r in rows[:-1]] and rows[-1][1] == len(live) - 1, rows
    for first, last, size in rows:
        assert f"{max(live[first:last + 1]) / 2**20:.2f}" == size, (first, last, size)
PYTHON
) && ok || bad "memory: rows written out" "$said"
"$weft" memory "$big" --device cpu --format md >"$dir/memory.md" || bad "memory --format md"
same "memory: tables" 5 "$(grep -c '^|---' "$dir/memory.md")"
weights=$(python3 -c '
import json, sys
print("%.1f" % (json.load(open(sys.argv[1]))["programs"][0]["plan"]["memory"][0]["weights"] / 1048576))' "$dir/memory.json")
holds "memory: text and document agree" '"$weft" memory "$model" --device cpu | grep -qE "weights +$weights MiB"'

# ---- what cannot be ----
sed 's/gelu %4/gelu %9/' "$dir/text" >"$dir/broken"
"$weft" graph "$dir/broken" --stage optimised >"$dir/out" 2>"$dir/err"; same "a graph text with a fault: exit status" 1 $?
holds "a graph text with a fault: place, line and mark" 'head -1 "$dir/err" | grep -q "^weft: .*broken:7:" && sed -n 2p "$dir/err" | grep -qF "gelu %9" && [ "$(wc -l <"$dir/err")" -eq 3 ]'
fails "layers" 2 "--layers" "$weft" graph "$model" --format dot --layers 3-1
fails "layers with a sign" 2 "--layers" "$weft" graph "$model" --format dot --layers 3--1
fails "layers with a tail" 2 "--layers" "$weft" graph "$model" --format dot --layers 3-4x
fails "an unknown format" 2 "--format" "$weft" graph "$model" --format yaml
fails "no extent called tokens" 2 "--tokens" "$weft" graph "$dir/bytes" --format json --tokens 2
fails "inspect takes models" 1 "graph text" "$weft" inspect "$dir/text" --device cpu
fails "memory of nothing" 1 "no-such" "$weft" memory "$dir/no-such"
fails "an output that cannot be" 1 "no/file" "$weft" graph "$model" --format json --output "$dir/no/file"

echo "$passed checks passed, $failed failed"
[ "$failed" = 0 ]
