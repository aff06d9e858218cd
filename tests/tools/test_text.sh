#!/usr/bin/env bash
# A model's graph as text, for every command that opens a model: --graph and --param, a folder's own model.weft, a text in
# place of MODEL; and the edit that the README shows. usage: test_text.sh WEFT TEXT (tests/models/llama.weft) TREE
set -u
weft=$1 text=$2 tree=$3
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export VK_ICD_FILENAMES=$dir/none.json VK_DRIVER_FILES=$dir/none.json XDG_CACHE_HOME=$dir/cache
passed=0 failed=0

ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAILED: $1"; [ $# -lt 2 ] || printf '  %s\n' "${@:2}"; }
same() { if [ "$2" = "$3" ]; then ok; else bad "$1" "expected: $2" "got:      $3"; fi; }
holds() { if eval "$2"; then ok; else bad "$1: $2"; fi; }
# fails NAME STATUS TEXT COMMAND...: exit status, and a message on stderr that starts with "weft: " and holds TEXT
fails() {
    local name=$1 status=$2 part=$3 got; shift 3
    "$@" >"$dir/out" 2>"$dir/err" </dev/null; got=$?
    same "$name: exit status" "$status" "$got"
    case "$(cat "$dir/err")" in "weft: "*"$part"*) ok ;; *) bad "$name: message" "wanted: $part" "got: $(cat "$dir/err")" ;; esac
}

cat >"$dir/config.json" <<END
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 64, "hidden_size": 32,
"intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
"max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
"tie_word_embeddings": false, "initializer_range": 0.3}
END
model=$dir/model
"$weft" init "$dir/config.json" "$model" --seed 3 || bad "init"
sed 's/act = hidden_act/act = gelu/' "$text" >"$dir/gelu.weft"
ids=1,2,3,40,41,5

# ---- which commands take it ----
for c in generate logits embed classify perplexity bench profile inspect memory graph init; do
    holds "$c --help" '"$weft" $c --help | grep -q "^  .*--graph FILE" && "$weft" $c --help | grep -q "^  .*--param NAME=VALUE .*repeatable"'
    holds "$c: completion" '"$weft" --completion fish | grep -q "seen_subcommand_from $c. -l graph -r -F"'
done
for c in tokenize detokenize kernels devices; do holds "$c opens no graph" '! "$weft" $c --help | grep -q -- "--graph"'; done
holds "the man page has it" '"$weft" --man | grep -qF -- "-\\-graph\\fR \\fIFILE"'

# ---- each of them: the text of the same model changes nothing, another one does ----
# both NAME ARGUMENTS...: with the text and without, and with another text; %o is a file that is written
both() {
    local name=$1 k how; shift
    for how in "" "--graph $text" "--graph $dir/gelu.weft"; do
        k=$((${k:-0} + 1))
        "$weft" "${@//%o/$dir/o$k}" $how >"$dir/p$k" 2>"$dir/err" || bad "$name $how" "$(cat "$dir/err")"
        [ -e "$dir/o$k" ] || cp "$dir/p$k" "$dir/o$k"
    done
    holds "$name: the same model in words" 'cmp -s "$dir/o1" "$dir/o2"'
    holds "$name: another one in words" '! cmp -s "$dir/o1" "$dir/o3"'
    rm -f "$dir"/o[123]
}
both generate generate "$model" --tokens $ids --max-tokens 12
both logits logits "$model" --tokens $ids --output %o
both embed embed "$model" --tokens $ids --output %o
loss() { "$weft" perplexity "$model" --tokens $ids --context 8 --json "$@" | grep -v seconds; }
same "perplexity: the same model in words" "$(loss)" "$(loss --graph "$text")"
holds "perplexity: another one in words" '[ "$(loss)" != "$(loss --graph "$dir/gelu.weft")" ]'
holds "generate --check" '"$weft" generate "$model" --tokens $ids --max-tokens 2 --graph "$dir/gelu.weft" --check 2>&1 | grep -q " 0 differ"'
holds "inspect" '"$weft" inspect "$model" --graph "$text" >"$dir/i" && grep -qF "  graph                   $text" "$dir/i" && grep -qE "^  intermediate_size +48 +config.json" "$dir/i"'
holds "inspect --json" '"$weft" inspect "$model" --graph "$text" --json | grep -qF "\"graph\": \"$text\""'
totals() { "$weft" memory "$model" "$@" | grep MiB | head -8; }
same "memory" "$(totals)" "$(totals --graph "$text")"
holds "a title names both" '"$weft" memory "$model" --graph "$text" | head -1 | grep -qxF "$(basename "$model"), $(basename "$text" .weft)"'
holds "graph" '"$weft" graph "$model" --graph "$dir/gelu.weft" --stage optimised | grep -q "act = gelu"'
holds "graph --stage planned" '"$weft" graph "$model" --graph "$dir/gelu.weft" --stage planned --device null | grep -q "steps: "'
holds "bench" '"$weft" bench "$model" --graph "$text" --prompt-tokens 4 --decode-tokens 2 --repeat 1 --json | grep -q "\"fraction_of_limit\""'
holds "profile" '"$weft" profile "$model" --graph "$text" --prompt-tokens 4 --decode-tokens 1 --repeat 1 | grep -q "explain"'
sed 's/^model .*/model "LlamaForSequenceClassification" sequence/; s/output "logits"/output "scores"/; s/lm_head.weight/model.layers.0.mlp.up_proj.weight/; s/any\[vocab_size, E\]$/any[48, E]/; s/"embed_tokens.weight" : any\[48, E\]/"embed_tokens.weight" : any[vocab_size, E]/' "$text" >"$dir/class.weft"
same "classify: a head of the text's own" 48 "$("$weft" classify "$model" --graph "$dir/class.weft" --tokens $ids | grep -c LABEL_)"

# ---- parameters ----
holds "a parameter instead of the configuration's" '"$weft" generate "$model" --tokens 1 --max-tokens 1 --graph "$text" --param L=1 --verbose 2>&1 | grep -q "^note: 9 tensors are in the files but not in the model"'
holds "several, words too" '"$weft" logits "$model" --tokens $ids --output "$dir/a" --graph "$text" --param hidden_act=gelu --param "theta=1e4" && "$weft" logits "$model" --tokens $ids --output "$dir/b" --graph "$dir/gelu.weft" && cmp -s "$dir/a" "$dir/b"'
holds "a truth" '"$weft" inspect "$model" --graph "$text" --param tied=true | grep -q "lm_head.weight. is in the files but not in the model"'
holds "inspect says which" '"$weft" inspect "$model" --graph "$text" --param L=1 --param hidden_act=gelu | grep -cE "^  (L +1|hidden_act +gelu) +given$" | grep -qx 2'
fails "no value" 2 "--param L: expected NAME=VALUE" "$weft" inspect "$model" --graph "$text" --param L
fails "no such parameter" 1 "layers" "$weft" inspect "$model" --graph "$text" --param layers=1
fails "a parameter of another kind" 1 "'L'" "$weft" inspect "$model" --graph "$text" --param L=many
fails "a parameter for no text" 1 "'L' is given, but the model is no text" "$weft" inspect "$model" --param L=1

# ---- what does not fit: the place, the line, a mark ----
sed 's/"gate_proj", n = F/"gate_proj", n = 2 * F/' "$text" >"$dir/wide.weft"
fails "wrong weights" 1 "is [48, 32], but the text makes it [96, 32]" "$weft" generate "$model" --tokens 1 --graph "$dir/wide.weft"
holds "the place" 'head -1 "$dir/err" | grep -qE "^weft: $dir/wide.weft:[0-9]+:5: "'
holds "the line" 'sed -n 2p "$dir/err" | grep -qF "    %w = weight \"{name}.weight\" : any[n, m]"'
fails "no such file" 1 "$dir/none" "$weft" generate "$model" --tokens 1 --graph "$dir/none"
: >"$dir/empty"
fails "an empty text" 1 "$dir/empty" "$weft" generate "$model" --tokens 1 --graph "$dir/empty"
"$weft" graph "$model" --format flat >"$dir/flat" 2>/dev/null || "$weft" graph "$model" >"$dir/flat"
head -1 "$dir/flat" | grep -q "weft-graph 1" && fails "a text of version 1" 1 "version 1" "$weft" generate "$model" --tokens 1 --graph "$dir/flat"

# ---- an architecture that nobody knows ----
mkdir "$dir/new"
sed 's/LlamaForCausalLM/LamaForCausalLM/; s/"llama"/"lama"/; s/^"tie/"attention_bias": false, "mlp_bias": false, "tie/' "$dir/config.json" >"$dir/new/config.json"
cp "$model/model.safetensors" "$dir/new/"
fails "nobody knows it" 1 "architecture 'LamaForCausalLM' is not known" "$weft" generate "$dir/new" --tokens $ids
want=$("$weft" generate "$model" --tokens $ids --max-tokens 8)
same "with --graph it runs" "$want" "$("$weft" generate "$dir/new" --tokens $ids --max-tokens 8 --graph "$text")"
cp "$text" "$dir/new/model.weft"
same "with its own text, too" "$want" "$("$weft" generate "$dir/new" --tokens $ids --max-tokens 8 --verbose 2>"$dir/err")"
note="the model is what $dir/new/model.weft says, for architecture 'LamaForCausalLM' is not known"
holds "which is told without --verbose, too" '"$weft" generate "$dir/new" --tokens 1 --max-tokens 1 2>&1 >/dev/null | grep -qxF "note: $dir/new: its architecture is not known, its graph is $dir/new/model.weft"'
holds "which is said" 'grep -qF "note: $note" "$dir/err"'
holds "by inspect, too" '"$weft" inspect "$dir/new" >"$dir/i" && grep -qF "  note                    $note" "$dir/i" && grep -qF "  graph                   $dir/new/model.weft" "$dir/i"'
holds "--graph counts before it" '"$weft" inspect "$dir/new" --graph "$dir/gelu.weft" | grep -qF "$dir/gelu.weft"'
cp "$text" "$model/model.weft"
holds "a known one needs none" '"$weft" inspect "$model" | grep -qF "$model/model.weft is not used, for LlamaForCausalLM is known (--graph"'
holds "which is told where it runs" '"$weft" generate "$model" --tokens 1 --max-tokens 1 2>&1 >/dev/null | grep -qxF "note: $model/model.weft is not used, for LlamaForCausalLM is known (--graph takes it all the same)"'
rm "$model/model.weft"
"$weft" init "$dir/new/config.json" "$dir/made" --seed 3 && same "init by the folder's text" "$want" "$("$weft" generate "$dir/made" --tokens $ids --max-tokens 8)"
rm "$dir/new/model.weft"
"$weft" init "$dir/new/config.json" "$dir/made2" --seed 3 --graph "$text" && same "init --graph" "$want" "$("$weft" generate "$dir/made2" --tokens $ids --max-tokens 8)"

mkdir "$dir/odd" && cp "$dir/config.json" "$dir/odd/some.json"
holds "a configuration of another name" '"$weft" graph "$dir/odd/some.json" --graph "$text" --stage optimised | grep -q "output \"logits\""'

# ---- a text in place of MODEL: a model without weights ----
sizes="--param vocab_size=64 --param L=2 --param E=32 --param F=48 --param H=4 --param eps=1e-5 --param theta=10000 --param hidden_act=silu --param tied=false"
cp "$text" "$dir/lone.weft" # what it requires of a configuration does not matter: there is none
holds "memory" '"$weft" memory "$dir/lone.weft" $sizes --context 64 | head -1 | grep -qxF lone'
holds "graph" '"$weft" graph "$dir/lone.weft" $sizes --stage optimised | grep -q "output \"logits\""'
holds "inspect" '"$weft" inspect "$dir/lone.weft" $sizes | grep -q "no files: configuration only"'
holds "bench: random weights" '"$weft" bench "$dir/lone.weft" $sizes --context 64 --prompt-tokens 4 --decode-tokens 1 --repeat 1 >/dev/null'
holds "profile: random weights" '"$weft" profile "$dir/lone.weft" $sizes --context 64 --prompt-tokens 4 --decode-tokens 1 --repeat 1 >/dev/null'
fails "nothing to run with" 1 "a graph's text has no weights" "$weft" generate "$dir/lone.weft" $sizes --tokens 1
fails "no parameters" 1 "'vocab_size'" "$weft" memory "$dir/lone.weft"
printf 'weft-graph 2\nextent n 4\nparam k : int = 2\n%%x = input "x" : f32[n, k]\n%%y = gelu %%x\noutput "y" = %%y\n' >"$dir/graph.weft"
holds "a graph that is no model" '"$weft" graph "$dir/graph.weft" --stage optimised | grep -qF "f32[n, 2]"'
holds "and its parameters" '"$weft" graph "$dir/graph.weft" --stage optimised --param k=3 | grep -qF "f32[n, 3]"'
sed 's/gelu/gleu/' "$dir/graph.weft" >"$dir/fault.weft"
fails "its faults are its own" 1 "fault.weft:5:6: no op or block is called 'gleu'" "$weft" memory "$dir/fault.weft"
fails "a parameter twice" 2 "'k' is given twice" "$weft" memory "$dir/graph.weft" --param k=1 --param k=2
fails "two texts" 2 "is a graph's text already" "$weft" memory "$dir/lone.weft" --graph "$text"

# ---- the edit that the README shows: its commands give what stands there ----
awk '/^```/{ if (on && hit) exit; on = !on; hit = 0; n = 0; next } on { line[++n] = $0; hit = hit || /windows.weft/ }
     END { for (i = 1; i <= n; i++) print line[i] }' "$tree/README.md" >"$dir/readme"
case $weft in /*) ;; *) weft=$PWD/$weft ;; esac
mkdir "$dir/tour" && ln -s "$(cd "$tree" && pwd)/models" "$dir/tour/models"
# What diff prints, without its options, makes the second file of the first.
edit() {
    awk 'NR == FNR { if (/^[0-9]/) { split($0, r, /[acd]/); split(r[1], f, ","); what = /a/ ? "a" : "c"; at = f[1]
                         if (what == "c") for (i = f[1]; i <= (f[2] ? f[2] : f[1]); i++) gone[i] = 1 }
                     if (/^> /) more[at] = more[at] substr($0, 3) "\n"; next }
         { if (!(FNR in gone)) print; printf "%s", more[FNR] }' "$1" "$2" >"$3"
}
run_tour() { # the command, what it should print
    local command=${1#vi windows.weft && }
    [ "$command" = "$1" ] || { printf '%s\n' "$2" >"$dir/diff"; edit "$dir/diff" "$dir/tour/whole.weft" "$dir/tour/windows.weft"; }
    same "README: $command" "$2" "$(cd "$dir/tour" && weft() { "$weft" "$@"; } && eval "$command" 2>&1)"
}
commands=0 command= output=
while IFS= read -r line; do
    case $line in
    '$ '*) [ -z "$command" ] || run_tour "$command" "$output"; command=${line#??} output= commands=$((commands + 1)) ;;
    *) output=${output:+$output$'\n'}$line ;;
    esac
done <"$dir/readme"
run_tour "$command" "$output"
same "README: commands" 6 "$commands"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
