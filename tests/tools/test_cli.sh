#!/usr/bin/env bash
# The forms of the `weft` program that other programs rely on: outputs byte for byte where they are fixed, exit statuses,
# one-line errors. usage: test_cli.sh WEFT MODEL
set -u
weft=$1 model=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# On the processor, whatever GPUs there are; drivers leak, too, which sanitizers would report.
export VK_ICD_FILENAMES=$dir/none.json VK_DRIVER_FILES=$dir/none.json XDG_CACHE_HOME=$dir/cache
passed=0 failed=0

ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAILED: $1"; [ $# -lt 2 ] || printf '  %s\n' "${@:2}"; }
same() { if [ "$2" = "$3" ]; then ok; else bad "$1" "expected: $2" "got:      $3"; fi; }
holds() { if eval "$2"; then ok; else bad "$1: $2"; fi; }
# fails NAME STATUS TEXT COMMAND...: exit status, exactly one line on stderr that starts with "weft: " and holds TEXT
fails() {
    local name=$1 status=$2 text=$3 got; shift 3
    "$@" >"$dir/out" 2>"$dir/err" </dev/null; got=$?
    same "$name: exit status" "$status" "$got"
    same "$name: lines on stderr" 1 "$(wc -l <"$dir/err" | tr -d ' ')"
    case "$(cat "$dir/err")" in "weft: "*"$text"*) ok ;; *) bad "$name: message" "wanted: $text" "got: $(cat "$dir/err")" ;; esac
}
size() { wc -c <"$1" | tr -d ' '; }

# ---- generate: saved and gone on with ----
whole=$("$weft" generate "$model" --prompt "Once upon a time" --max-tokens 16)
begun=$("$weft" generate "$model" --prompt "Once upon a time" --max-tokens 7 --save-state "$dir/state")
same "saved and loaded" "$whole" "$begun$("$weft" generate "$model" --load-state "$dir/state" --max-tokens 9)"
"$weft" generate "$model" --load-state "$dir/state" --prompt " The end" --max-tokens 1 >/dev/null || bad "a prompt after --load-state"
fails "a cache of another type" 1 "a cache of f16, here it is f32" "$weft" generate "$model" --load-state "$dir/state" --kv f32

# ---- generate: weights that are kept ----
for round in written read; do
    same "weights are $round" "$whole" "$("$weft" generate "$model" --prompt "Once upon a time" --max-tokens 16 --cache-weights "$dir/kept/w")"
    holds "weights are $round: files" 'ls "$dir"/kept/w/*.packed >/dev/null'
done
fails "no folder for weights" 1 "$dir/state: not a folder" "$weft" generate "$model" --prompt x --cache-weights "$dir/state"

# ---- generate: adapters ----
# floats NUMBER_OF_BYTES BYTES: the same float again and again
floats() { (printf "$2" >"$dir/f"; while [ "$(size "$dir/f")" -lt "$1" ]; do cat "$dir/f" "$dir/f" >"$dir/g"; mv "$dir/g" "$dir/f"; done; head -c "$1" "$dir/f"); }
# adapter NAME WIDTH BYTES: of rank 1, on the first layer's attention output: A is ones, B the float
adapter() {
    local bytes=$((4 * $2)) module=base_model.model.gpt_neox.layers.0.attention.dense header
    mkdir "$dir/$1"
    printf '{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["dense"]}' >"$dir/$1/adapter_config.json"
    header="{\"$module.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[1,$2],\"data_offsets\":[0,$bytes]},\"$module.lora_B.weight\":{\"dtype\":\"F32\",\"shape\":[$2,1],\"data_offsets\":[$bytes,$((2 * bytes))]}}"
    { printf "\\x$(printf %02x $((${#header} % 256)))\\x$(printf %02x $((${#header} / 256)))\\0\\0\\0\\0\\0\\0"; printf %s "$header"
      floats $bytes '\0\0\200\77'; floats $bytes "$3"; } >"$dir/$1/adapter_model.safetensors"
}
width=$(sed -n 's/.*"hidden_size": *\([0-9]*\).*/\1/p' "$model/config.json")
adapter one "$width" '\0\0\200\77'
adapter half "$width" '\0\0\0\77'
adapter wrong 8 '\0\0\200\77'
with() { "$weft" logits "$model" --prompt "Once upon a time" --exact --output "$dir/l.npy" "$@" >/dev/null && cksum <"$dir/l.npy"; }
plain=$(with) one=$(with --lora "$dir/one")
holds "an adapter changes something" '[ -n "$one" ] && [ "$one" != "$plain" ]'
same "nothing of an adapter" "$plain" "$(with --lora "$dir/one=0")"
same "half as much" "$(with --lora "$dir/half")" "$(with --lora "$dir/one=0.5")"
holds "adapters add up" '[ "$(with --lora "$dir/half" --lora "$dir/half")" != "$(with --lora "$dir/half")" ]'
holds "they are in the graph" '"$weft" graph "$model" --lora "$dir/one" | grep -q "attention.dense.lora_A.*f32\[1, 16, $width\]"'
holds "they are in the plan" '[ "$("$weft" memory "$model" --device cpu --lora "$dir/one")" != "$("$weft" memory "$model" --device cpu)" ]'
"$weft" generate "$model" --prompt "Once" --max-tokens 1 --lora "$dir/one" --check >/dev/null 2>&1 || bad "--lora --check"
fails "an adapter of another base" 1 "dense.lora_A.weight' is [1, 8], but config.json makes it [1, $width]" "$weft" generate "$model" --prompt x --lora "$dir/wrong"
fails "no adapter" 1 "$dir/none: no folder, which an adapter is" "$weft" memory "$model" --lora "$dir/none"

# ---- generate: the reference's greedy words, in three ways ----
story=", there was a little girl named Lily. She loved to play with her toys"
same "greedy text" "Once upon a time$story" "$("$weft" generate "$model" --prompt "Once upon a time" --max-tokens 16)"
printf 'Once upon a time' >"$dir/prompt"
"$weft" generate "$model" --prompt-file "$dir/prompt" --max-tokens 16 --json >"$dir/a.json" || bad "generate --prompt-file"
"$weft" generate "$model" --tokens 424,436,260,398 --max-tokens 16 --json --logprobs 2 >"$dir/b.json" || bad "generate --tokens"
flat() { tr -d ' \n' <"$1"; }
holds "json has the text" 'grep -qF "\"text\": \"$story\"" "$dir/a.json"'
holds "json has prompt_tokens" 'flat "$dir/a.json" | grep -qF "\"prompt_tokens\":[424,436,260,398]"'
holds "json has tokens" 'flat "$dir/b.json" | grep -qF "\"tokens\":[13,400,284,260,391,464"'
holds "json has timings" 'flat "$dir/a.json" | grep -qE "\"timings\":\{\"load\":[0-9.e-]+,\"prompt\":[0-9.e-]+,\"decode\":[0-9.e-]+\}"'
holds "json has stop_reason" 'flat "$dir/a.json" | grep -qF "\"stop_reason\":\"length\""'
holds "no logprobs unless asked" '! grep -q logprobs "$dir/a.json"'
same "logprobs: steps" 16 "$(grep -c '"top"' "$dir/b.json")"
same "stop string" "Once upon a time, there was a little girl named" \
    "$("$weft" generate "$model" --prompt "Once upon a time" --max-tokens 40 --stop " Lily")"
# what the model's card says it writes, by the commands that stand there
awk -v out="$dir/card" '/^\$ weft /{n++; print substr($0, 8) > (out n ".command"); on=1; next} /^```/{on=0} on{print > (out n ".text")}' "$model/README.md"
holds "the card has stories" '[ -s "$dir/card1.text" ] && [ -s "$dir/card2.text" ]'
for card in "$dir"/card*.command; do
    command=$(sed "s|models/bundled/tiny-stories-neox|\"$model\"|" "$card")
    eval "\"$weft\" $command" >"$dir/told"
    holds "the card tells what $(basename "$card") does" 'cmp -s "$dir/told" "${card%command}text"'
done
one=$("$weft" generate "$model" --prompt "One day" --temperature 0.9 --top-k 40 --top-p 0.95 --seed 7 --max-tokens 30)
two=$("$weft" generate "$model" --prompt "One day" --temperature 0.9 --top-k 40 --top-p 0.95 --seed 7 --max-tokens 30)
other=$("$weft" generate "$model" --prompt "One day" --temperature 0.9 --top-k 40 --top-p 0.95 --seed 8 --max-tokens 30)
same "same seed, same text" "$one" "$two"
holds "another seed, another text" '[ "$one" != "$other" ]'
holds "every sampler" '"$weft" generate "$model" --prompt "A" --temperature 1 --typical 0.9 --xtc-probability 0.5 --dry-multiplier 0.8 --dry-base 2 --repeat-last-n 8 --presence-penalty 0.1 --mirostat 2 --mirostat-lr 0.2 --logit-bias 5=-1.5 --logit-bias 13=-inf --max-tokens 5 >/dev/null'
fails "--samplers of no sampler" 2 "there is no sampler 'top_q'" "$weft" generate "$model" --prompt A --samplers "top_k;top_q"
fails "--samplers twice the same" 2 "'top_k' comes twice" "$weft" generate "$model" --prompt A --samplers top_k,top_k
for wrong in 5 5=nan -1=2 5=1x =2 5= 4294967296=1; do
    fails "--logit-bias $wrong" 2 "'$wrong' is no ID=BIAS" "$weft" generate "$model" --prompt A --logit-bias "$wrong"
done
printf 'root ::= ("- " [a-z]{2,9} "\\n"){2}\n' >"$dir/list.gbnf"
holds "generate --grammar" '[ "$("$weft" generate "$model" --tokens 424 --grammar "$dir/list.gbnf" | grep -cE "^- [a-z]{2,9}\$")" = 2 ]'
holds "generate --json-object" '"$weft" generate "$model" --tokens 424 --json-object --temperature 1 --top-k 50 --json --logprobs 1 --max-tokens 8 | tr -d " \n" | grep -qF "\"text\":\"{"'
printf '{"type": "object", "properties": {"toy": {"type": "string", "maxLength": 12}, "n": {"type": "integer", "maximum": 9}}, "required": ["toy", "n"], "additionalProperties": false}' >"$dir/toy.json"
holds "generate --json-schema" '"$weft" generate "$model" --tokens 424 --json-schema "$dir/toy.json" --temperature 1 --seed 3 | tr -d " \t\n" | grep -qE "^[{]\"toy\":\".{0,40}\",\"n\":-?[0-9]+[}]$"'
echo '{"type": "object", "properties": {"a": {"not": {}}}}' >"$dir/not.json"
fails "--json-schema with what is not supported" 1 'not.json: #/properties/a: "not" is not supported' "$weft" generate "$model" --prompt A --json-schema "$dir/not.json"
printf 'root ::= "a"\n | x\n' >"$dir/bad.gbnf"
fails "--grammar with a fault" 1 "bad.gbnf: line 2, column 2: " "$weft" generate "$model" --prompt A --grammar "$dir/bad.gbnf"
fails "--grammar of no file" 1 "$dir/none.gbnf: " "$weft" generate "$model" --prompt A --grammar "$dir/none.gbnf"
fails "two grammars" 2 "a text has one grammar" "$weft" generate "$model" --prompt A --grammar "$dir/list.gbnf" --json-object
fails "--mirostat 1" 2 "only its second version" "$weft" generate "$model" --prompt A --mirostat 1
holds "min-p, penalty" '"$weft" generate "$model" --prompt "A" --temperature 1 --min-p 0.1 --repeat-penalty 1.2 --max-tokens 5 >/dev/null'
plain() { "$weft" generate "$model" --tokens 424,436,260,398 --max-tokens 30 --ignore-eos --json "$@" | tr -d ' \n' | sed 's/.*"tokens":\[\([0-9,]*\)\].*/\1/' | tr , '\n'; echo; }
same "presence penalty: no token twice, nor any of the prompt's" 34 "$( (plain --presence-penalty 100; printf '%s\n' 424 436 260 398) | sort -u | wc -l | tr -d ' ')"
same "frequency reward: one token for ever" 1 "$(plain --frequency-penalty=-100 | sort -u | wc -l | tr -d ' ')"
for w in f32 f16 bf16 q8_0 q4_0 q5_1; do
    holds "weights $w pass --check" '"$weft" generate "$model" --prompt "Once upon a time" --max-tokens 2 --weights $w --check >/dev/null 2>"$dir/err"'
done
holds "a check of more tokens than a run takes" '"$weft" generate "$model" --prompt "Once upon a time" --max-tokens 1 --chunk 3 --check >/dev/null 2>&1'
mkdir "$dir/bare" && cp "$model"/config.json "$model"/model.safetensors "$dir/bare/"
same "without a tokenizer: tokens" "13,400,284" "$("$weft" generate "$dir/bare" --tokens 424,436,260,398 --max-tokens 3)"
fails "without a tokenizer: text" 1 "tokenizer.json" "$weft" generate "$dir/bare" --prompt x

# ---- logits ----
"$weft" logits "$model" --tokens 1,2,3,4,5 --output "$dir/all" || bad "logits"
"$weft" logits "$model" --tokens 1,2,3,4,5 --last --output "$dir/last" || bad "logits --last"
"$weft" logits "$model" --batch "1,2,3,4,5;4,5" --output "$dir/batch" || bad "logits --batch"
same "logits: size" $((5 * 4096 * 4)) "$(size "$dir/all")"
same "logits --last: size" $((4096 * 4)) "$(size "$dir/last")"
same "logits --batch: size" $((7 * 4096 * 4)) "$(size "$dir/batch")"
tail -c $((4096 * 4)) "$dir/all" >"$dir/tail"
first() { od -An -tf4 -N4 "$1" | awk '{ printf "%.3f", $1 }'; }
same "--last is the last row" "$(first "$dir/tail")" "$(first "$dir/last")"

# an output that is no ordinary file is written to, not replaced
mkfifo "$dir/pipe" && { timeout 20 cat "$dir/pipe" >"$dir/through" & }
"$weft" logits "$model" --tokens 1,2,3,4,5 --output "$dir/pipe" || bad "logits into a pipe"; wait
holds "a pipe stays a pipe" '[ -p "$dir/pipe" ] && cmp -s "$dir/through" "$dir/all"'
ln -s /dev/null "$dir/null" && "$weft" logits "$model" --tokens 1 --output "$dir/null" && holds "a link to a device stays" '[ -L "$dir/null" ]'
mkdir "$dir/full"
fails "a file larger than allowed" 1 "$dir/full/x" bash -c 'trap "" XFSZ; ulimit -f 1; exec "$@"' - \
    "$weft" logits "$model" --tokens 1,2,3 --output "$dir/full/x"
holds "nothing is left of a file that could not be written" '[ -z "$(ls -A "$dir/full")" ]'
# the cache of a batch is as long as its longest sequence, in pages: 2 x 6 layers x 3 x 16 cells x 256 f16
"$weft" logits "$model" --batch "1;2;3,4" --verbose --output "$dir/batch" 2>"$dir/err" || bad "logits --batch --verbose"
holds "a batch's cache is small" 'grep -q "cache 288.0 KiB," "$dir/err"'
fails "a batch beyond the model's context" 1 "context" "$weft" logits "$model" --batch "$(seq -s, 1 513);1" --output "$dir/x"

# ---- embed ----
"$weft" embed "$model" --tokens 1,2,3 --pool none --output "$dir/e" && same "embed: none" $((3 * 256 * 4)) "$(size "$dir/e")"
"$weft" embed "$model" --tokens 1,2,3 --pool mean --layer 2 --output "$dir/e" && same "embed: mean" $((256 * 4)) "$(size "$dir/e")"
"$weft" embed "$model" --prompt hello --pool last --layer 0 --output "$dir/e" && same "embed: last" $((256 * 4)) "$(size "$dir/e")"
fails "embed: no such layer" 1 "layer 7" "$weft" embed "$model" --tokens 1 --layer 7 --output "$dir/e"

# ---- classify: the bundled model's body under a head that gives 0 and the sum of the last state ----
mkdir "$dir/class" && ln -s "$(realpath "$model")/tokenizer.json" "$dir/class/" && ln -s "$(realpath "$model")/model.safetensors" "$dir/class/body"
sed 's/GPTNeoXForCausalLM/GPTNeoXForSequenceClassification/; s/^{/{ "id2label": {"0": "none", "1": "a sum"},/' "$model/config.json" >"$dir/class/config.json"
echo '{"weight_map": {"score.weight": "head", "gpt_neox.embed_in.weight": "body"}}' >"$dir/class/model.safetensors.index.json"
{ printf 'X\0\0\0\0\0\0\0%-88s' '{"score.weight": {"dtype": "F32", "shape": [2, 256], "data_offsets": [0, 2048]}}'
  head -c 1024 /dev/zero; printf '\0\0\200?%.0s' $(seq 256); } >"$dir/class/head"
"$weft" embed "$model" --prompt "Once upon a time" --pool last --output "$dir/e"
sum=$(od -An -v -tf4 -w4 "$dir/e" | awk '{ s += $1 } END { printf "%.3f", s }')
"$weft" classify "$dir/class" --prompt "Once upon a time" --json >"$dir/c.json" || bad "classify"
same "classify --json" '"labels":["none","asum"],"tokens":[424,436,260,398],' "$(flat "$dir/c.json" | grep -oF '"labels":["none","asum"],"tokens":[424,436,260,398],')"
same "classify: the score" "$sum" "$(flat "$dir/c.json" | grep -oE '"scores":\[0.0,[-0-9.e]+' | cut -d, -f2 | awk '{ printf "%.3f", $1 }')"
same "classify: probabilities are softmax" "1.000000 $sum" "$("$weft" classify "$dir/class" --prompt "Once upon a time" --check 2>/dev/null | awk '{ p += $(NF - 1); s += $NF } END { printf "%.6f %.3f", p, s }')"
fails "a classifier generates nothing" 1 "gives scores of sequences, no logits" "$weft" generate "$dir/class" --tokens 1
fails "a language model classifies nothing" 1 "no classification head" "$weft" classify "$model" --tokens 1
holds "inspect, graph and memory take it" '"$weft" inspect "$dir/class" | grep -q "head .*sequences: none, a sum" && "$weft" graph "$dir/class" --stage optimised | grep -q "scores" && "$weft" memory "$dir/class" >"$dir/out"'
sed -i 's/SequenceClassification/TokenClassification/' "$dir/class/config.json"
{ printf '\270\0\0\0\0\0\0\0%-184s' '{"classifier.weight": {"dtype": "F32", "shape": [2, 256], "data_offsets": [0, 2048]}, "classifier.bias": {"dtype": "F32", "shape": [2], "data_offsets": [2048, 2056]}}'
  head -c 1024 /dev/zero; printf '\0\0\200?%.0s' $(seq 256); head -c 8 /dev/zero; } >"$dir/class/head"
sed -i 's/score.weight/classifier.weight/' "$dir/class/model.safetensors.index.json"
same "classify: a line per token" 4 "$("$weft" classify "$dir/class" --prompt "Once upon a time" | grep -cE '^" ?[A-Za-z]+" +(none|a sum) +[01][.][0-9]+$')"
sed -i 's/GPTNeoXForTokenClassification/GPTNeoXModel/' "$dir/class/config.json"
"$weft" embed "$dir/class" --prompt "Once upon a time" --pool last --output "$dir/e2" && holds "a base model embeds" 'cmp -s "$dir/e" "$dir/e2"'

# ---- tokenize, detokenize ----
same "tokenize" "424,436,260,398" "$("$weft" tokenize "$model" --prompt "Once upon a time")"
same "tokenize --json" '{"tokens":[424,436,260,398]}' "$("$weft" tokenize "$model" --file "$dir/prompt" --json | tr -d ' \n')"
printf 'caf\xc3\xa9 \xff\n\n' >"$dir/bytes"
ids=$("$weft" tokenize "$model" --file "$dir/bytes")
"$weft" detokenize "$model" --tokens "$ids" >"$dir/text"
printf 'caf\xc3\xa9 \xef\xbf\xbd\n\n' >"$dir/want"
holds "bytes survive, invalid UTF-8 replaced, no newline added" 'cmp -s "$dir/text" "$dir/want"'

same "detokenize nothing" "0 0" "$("$weft" detokenize "$model" --tokens "" | wc -c | tr -d ' ') $?"
fails "an id of 2^31" 2 "expected ids" "$weft" detokenize "$model" --tokens 2147483648
fails "a part of a choice" 2 "expected" "$weft" generate "$model" --prompt x --weights q4
fails "detokenize: no list" 2 "expected ids" "$weft" detokenize "$model" --tokens ,
# a tokenizer needs no config.json, and no folder
mkdir "$dir/alone" && cp "$model/tokenizer.json" "$dir/alone/"
same "tokenize a folder with tokenizer.json alone" "424,436,260,398" "$("$weft" tokenize "$dir/alone" --prompt "Once upon a time")"
same "tokenize by tokenizer.json" "424,436,260,398" "$("$weft" tokenize "$dir/alone/tokenizer.json" --prompt "Once upon a time")"
same "detokenize by tokenizer.json" "Once upon" "$("$weft" detokenize "$dir/alone/tokenizer.json" --tokens 424,436)"
fails "--bos without a bos token" 1 "bos token" "$weft" tokenize "$dir/alone" --prompt x --bos
# --bos and --no-bos, on every command that takes a text
same "--bos" "0,424,436" "$("$weft" tokenize "$model" --prompt "Once upon" --bos)"
same "--bos of the tokenizer's files" "1,424" "$(echo '{"bos_token":"<|padding|>"}' >"$dir/alone/tokenizer_config.json" &&
    "$weft" tokenize "$dir/alone" --prompt "Once" --bos)"
same "--no-bos" "424,436" "$("$weft" tokenize "$model" --prompt "Once upon" --no-bos)"
fails "--bos and --no-bos" 2 "exclude" "$weft" tokenize "$model" --prompt x --bos --no-bos
fails "--bos with --tokens" 2 "for texts" "$weft" logits "$model" --tokens 1 --output "$dir/x" --bos
"$weft" logits "$model" --tokens 0,424,436 --output "$dir/x" && "$weft" logits "$model" --prompt "Once upon" --bos --output "$dir/y"
holds "logits --bos" 'cmp -s "$dir/x" "$dir/y"'
"$weft" embed "$model" --tokens 0,424,436 --output "$dir/x" && "$weft" embed "$model" --prompt "Once upon" --bos --output "$dir/y"
holds "embed --bos" 'cmp -s "$dir/x" "$dir/y"'
holds "generate --bos" '"$weft" generate "$model" --prompt "Once upon" --bos --max-tokens 1 --json | tr -d " \n" | grep -qF "\"prompt_tokens\":[0,424,436]"'
holds "perplexity --bos" '"$weft" perplexity "$model" --file "$dir/prompt" --bos --json | tr -d " \n" | grep -qF "\"tokens\":5,"'
# a text that is no UTF-8 is told, on stderr; so is what of the tokenizer's files is not done
"$weft" tokenize "$model" --file "$dir/bytes" 2>&1 >/dev/null | grep -qF "note: $dir/bytes: the text is not UTF-8: 1 place is replaced" || bad "a note on a broken text"
printf '\xff\xfeO\0n\0c\0e\0' >"$dir/utf16"
for c in "tokenize --file" "generate --max-tokens 1 --prompt-file" "perplexity --file" "logits --output $dir/x --prompt-file" "embed --output $dir/x --prompt-file"; do
    "$weft" ${c%% *} "$model" ${c#* } "$dir/utf16" 2>&1 >/dev/null | grep -q "not UTF-8: 2 places .*UTF-16" || bad "a note on UTF-16: $c"
done
echo '{"add_bos_token":true}' >"$dir/alone/tokenizer_config.json"
"$weft" tokenize "$dir/alone" --prompt x 2>&1 >/dev/null | grep -q "note: .*tokenizer_config.json: add_bos_token is true, but" || bad "a note on add_bos_token"
cp "$model/config.json" "$model/model.safetensors" "$dir/alone/"
holds "inspect: the same note" '"$weft" inspect "$dir/alone" | grep -q "^  note  .*add_bos_token is true"'

# ---- perplexity, inspect, graph, devices, bench, init ----
"$weft" generate "$model" --prompt "Once upon a time" --max-tokens 200 --ignore-eos >"$dir/story"
"$weft" perplexity "$model" --file "$dir/story" --context 64 --stride 32 --json >"$dir/p.json" 2>"$dir/err" || bad "perplexity"
holds "perplexity is that of the model's own words" 'grep -qE "\"perplexity\": [12]\.[0-9]" "$dir/p.json"'
holds "no progress bar in a pipe" '[ ! -s "$dir/err" ]'
holds "inspect shows the parameters" '"$weft" inspect "$model" --context 256 --weights q8_0 | grep -q "parameters  *6836224"'
holds "inspect --json" '"$weft" inspect "$model" --json | grep -q "\"parameters\": 6836224"'
holds "inspect says where values come from" '"$weft" inspect "$model" >"$dir/i" && grep -q "rope_theta  *10000  *config.json: rotary_emb_base" "$dir/i" && grep -q "head_dim  *32  *default" "$dir/i"'
holds "inspect --json has the configuration" '"$weft" inspect "$model" --json >"$dir/i" && flat "$dir/i" | grep -qF "{\"key\":\"use_parallel_residual\",\"value\":true,\"source\":\"config.json\"}"'
fails "inspect of another file" 1 "no configuration of a model: " "$weft" inspect "$model/tokenizer_config.json"
holds "inspect of a tokenizer" '"$weft" inspect "$model/tokenizer.json" | grep -q "^  pre_tokenizer *ByteLevel$"'
holds "inspect --json of a tokenizer" '"$weft" inspect "$model/tokenizer.json" --json >"$dir/i" && flat "$dir/i" | grep -qF "\"normalizer\":[\"NFC\"],\"pre_tokenizer\":[\"ByteLevel\"],\"model\":[\"BPE\"]"'
"$weft" graph "$model" >"$dir/built" && "$weft" graph "$model" --stage optimised >"$dir/optimised" || bad "graph"
holds "built graph has matmuls" 'grep -q matmul_nt "$dir/built" && ! grep -q "= linear" "$dir/built"'
holds "optimised graph has fused nodes" 'grep -q "= linear" "$dir/optimised"'
# a graph text as text is that text in its canonical form, which needs no values of parameters; a fault has its line
printf '# mine\nweft-graph 2\nparam n:int # how many\n%%x=op%%y{a=(n*2),\n b=1}\n' >"$dir/my.weft"
formatted=$(printf '# mine\nweft-graph 2\nparam n : int  # how many\n%%x = op %%y {a = n * 2, b = 1}')
same "graph formats a text" "$formatted" "$("$weft" graph "$dir/my.weft" --format text)"
same "graph formats standard input" "$formatted" "$("$weft" graph - <"$dir/my.weft")"
"$weft" graph "$dir/my.weft" --output "$dir/my.weft" || bad "graph formats a text in its place"
same "graph formats a text in its place" "$formatted" "$(cat "$dir/my.weft")"
echo 'let k = ?' >>"$dir/my.weft"
"$weft" graph "$dir/my.weft" >"$dir/out" 2>"$dir/err" && bad "a fault in a text"
same "a fault in a text is shown" "$(printf 'weft: %s:5:9: expected an expression\n    let k = ?\n            ^' "$dir/my.weft")" "$(cat "$dir/err")"
holds "planned graph has kernels" '"$weft" graph "$model" --stage planned --device null | grep -q "steps: "'
holds "devices" '"$weft" devices | grep -q "^cpu " && "$weft" devices --json | grep -q "\"name\": \"cpu\""'
holds "bench --json" '"$weft" bench "$model" --prompt-tokens 16 --decode-tokens 4 --repeat 1 --json | grep -q "\"fraction_of_limit\""'
"$weft" bench "$model" --prompt-tokens 16 --decode-tokens 4 --repeat 1 --weights q8_0 --json >"$dir/bench" || bad "bench"
"$weft" generate "$model" --tokens 1,2,3,4,5 --max-tokens 1 --ignore-eos --save-state "$dir/five" >/dev/null || bad "save-state"
"$weft" bench "$model" --sequences 3 --load-state "$dir/five" --prompt-tokens 16 --decode-tokens 2 --repeat 1 --json >"$dir/deep" || bad "bench of three"
holds "bench of sequences behind a state" 'grep -q "\"sequences\": 3" "$dir/deep" && grep -q "\"depth\": 5" "$dir/deep"'
fails "bench deeper than the context" 1 "do not fit the context" "$weft" bench "$model" --context 64 --depth 60 --prompt-tokens 16
holds "bench names the limit" 'grep -qE "\"limit\": \"(int8|f32) peak\"" "$dir/bench"'
"$weft" init "$model/config.json" "$dir/new" --dtype bf16 --seed 5 --shard-size 3000000 || bad "init"
"$weft" init "$model/config.json" "$dir/again" --dtype bf16 --seed 5 --shard-size 3000000 || bad "init again"
holds "init writes shards" '[ -f "$dir/new/model.safetensors.index.json" ]'
holds "init is deterministic" 'diff -r "$dir/new" "$dir/again" >/dev/null'
holds "an initialised model runs" '"$weft" generate "$dir/new" --tokens 1,2 --max-tokens 3 --ignore-eos >/dev/null'
grep -v initializer_range "$model/config.json" >"$dir/plain.json"
"$weft" init "$dir/plain.json" "$dir/plain" || bad "init without initializer_range"
"$weft" logits "$dir/plain" --tokens 1 --output "$dir/l" || bad "logits of it"
holds "its weights are not all zero" '! cmp -s -n 16384 "$dir/l" /dev/zero'
fails "init does not overwrite" 1 "$dir/new" "$weft" init "$model/config.json" "$dir/new"

# ---- imatrix ----
"$weft" imatrix "$model" --file "$dir/story" --chunk 32 --output "$dir/story.gguf" || bad "imatrix"
holds "imatrix says what it is" 'grep -qa "imatrix.chunk_count" "$dir/story.gguf" && grep -qa "blk.5.ffn_down.weight.in_sum2" "$dir/story.gguf"'
"$weft" quantize "$model" "$dir/q.gguf" --weights q4_K --imatrix "$dir/story.gguf" --keep "output.weight=q8_0" --verbose >"$dir/out" || bad "quantize"
holds "quantize says what becomes of tensors" 'grep -qE "^blk.0.attn_qkv.weight +F16 -> Q4_K +110592 bytes, by importance$" "$dir/out" && grep -qE "^output.weight +F16 -> Q8_0 " "$dir/out"'
holds "quantize sums up" 'grep -qE "q.gguf: 76 tensors, 26 of them turned into other types: .* bits a weight" "$dir/out"'
holds "a quantised model runs" '[ "$("$weft" generate "$dir/q.gguf" -p "Once upon a time" -n 3)" = "Once upon a time, there was" ]'
fails "quantize to nothing known" 2 "q4_K_XL" "$weft" quantize "$model" "$dir/q2.gguf" --weights q4_K_XL
fails "a pattern without a type" 1 "PATTERN=TYPE" "$weft" quantize "$model" "$dir/q2.gguf" --keep output
holds "no file is left of it" '[ ! -e "$dir/q2.gguf" ] && [ ! -e "$dir/q2.gguf.partial" ]'
fails "imatrix of nothing" 2 "--output is missing" "$weft" imatrix "$model" --tokens 1,2

# ---- numbers that are none: an error that says where, never an ending ----
cp -r "$dir/plain" "$dir/nan" && chmod -R u+w "$dir/nan"
printf '\377\377\377\377' | dd of="$dir/nan/model.safetensors" bs=1 seek=$(($(size "$dir/nan/model.safetensors") - 4)) conv=notrunc 2>/dev/null
for how in "--json" "--json --temperature 1" "--json --logprobs 2"; do
    fails "generate $how" 1 "token 5 at position 2 of sequence 0" "$weft" generate "$dir/nan" --tokens 3,4,5 $how
done
fails "logits" 1 "token 3 at position 0" "$weft" logits "$dir/nan" --tokens 3,4,5 --output "$dir/l2"
holds "nothing is written" '[ ! -e "$dir/l2" ]'
header=$(od -An -tu8 -N8 "$dir/nan/model.safetensors" | tr -d ' ') # the first weight begins after it: the embedding of 0
printf '\377\377\377\377' | dd of="$dir/nan/model.safetensors" bs=1 seek=$((8 + header)) conv=notrunc 2>/dev/null
fails "embed" 1 "numbers of the hidden state are NaN" "$weft" embed "$dir/nan" --tokens 3,0,5 --output "$dir/l2"
holds "embed names the token" 'grep -q "token 0 at position 1" "$dir/err"'
fails "perplexity" 1 "token 3 at position 0" "$weft" perplexity "$dir/nan" --tokens 3,4,5 --json
"$weft" generate "$dir/nan" --tokens 3,4,5 --check >"$dir/out" 2>"$dir/err"; same "--check: exit status" 1 $?
holds "--check names the node and the weight" 'grep -qE "the first NaN or infinity is made by .*; the weight .* has some" "$dir/err"'
for kv in q8_0 q4_0 q5_0,q4_1 q8_0,q4_0 f16,q8_0; do
    holds "a cache of $kv" '"$weft" generate "$model" --prompt "Once" --max-tokens 3 --kv $kv --check >/dev/null 2>&1'
done
"$weft" generate "$model" --prompt "Once" --max-tokens 3 --kv q8_0 --save-state "$dir/state8" >/dev/null
"$weft" generate "$model" --load-state "$dir/state8" --max-tokens 3 --kv q8_0 >/dev/null || bad "a saved cache of q8_0"
fails "a cache of another type" 1 "a cache of q8_0, here it is f16; open the session with such a one (--kv)" "$weft" generate "$model" --load-state "$dir/state8"
"$weft" generate "$model" --prompt "Once" --max-tokens 3 --kv q8_0,q4_0 --save-state "$dir/state84" >/dev/null
"$weft" generate "$model" --load-state "$dir/state84" --max-tokens 3 --kv q8_0,q4_0 >/dev/null || bad "a saved cache of q8_0 and q4_0"
fails "a cache with other values" 1 "a cache of q8_0,q4_0, here it is q8_0; open" "$weft" generate "$model" --load-state "$dir/state84" --kv q8_0
fails "a format that values cannot have" 2 "--kv q8_0,q4: expected" "$weft" generate "$model" --prompt x --kv q8_0,q4
fails "no format of values" 2 "--kv q8_0,: expected" "$weft" generate "$model" --prompt x --kv q8_0,
fails "a third format" 2 "--kv f16,f16,f16: expected" "$weft" generate "$model" --prompt x --kv f16,f16,f16
fails "two formats of weights" 2 "--weights q8_0,q4_0: expected" "$weft" generate "$model" --prompt x --weights q8_0,q4_0
cache() { "$weft" memory "$model" "$@" --format md | sed -n 's/^| states | \([0-9.]*\) .*/\1/p'; }
same "memory: a cache of q8_0 is 17/32 of one of f16" 3.0,1.6,0.8 "$(cache),$(cache --kv q8_0),$(cache --kv q4_0)"
same "memory: keys and values of their own" 2.3,2.3 "$(cache --kv f16,q8_0),$(cache --kv q8_0,f16)"
holds "a cache of bf16" '"$weft" generate "$model" --prompt "Once" --max-tokens 3 --kv bf16 --check >/dev/null 2>&1'

holds "memory: the arenas of all programs" '"$weft" memory "$model" --device cpu | grep -cE "^  (prompt arena|decode arena|[0-9]+ tokens) " | grep -qx 5'
holds "verbose: the programs there are" '"$weft" generate "$model" --tokens 1 --max-tokens 1 --device cpu --chunk 8 --verbose 2>&1 | grep -qx "programs for runs of up to 1, 8 tokens"'
cat >"$dir/long.json" <<END
{"model_type": "gemma3_text", "num_hidden_layers": 1, "vocab_size": 64}
END
holds "inspect: sources stand below each other" '"$weft" inspect "$dir/long.json" --device cpu | awk "/^  parameters/ { exit } NR > 2 && match(\$0, / (long.json|default of)/) { print RSTART }" | sort -u | wc -l | grep -qx 1'

# ---- too large: what would help, and that it does; limits of the process count as memory ----
small() { (ulimit -v 300000; "$@"); } # under sanitizers nothing starts in so little
if small "$weft" --version >/dev/null 2>&1; then
    fails "a context that is too long" 1 'it would fit with `--context 25000` (' small "$weft" generate "$model" --tokens 1 --context 400000
    holds "the shorter one fits" 'small "$weft" generate "$model" --tokens 1 --context 25000 --max-tokens 1 >/dev/null'
    holds "inspect says so" 'small "$weft" inspect "$model" --context 400000 | grep -qF "it would fit with \`--context 25000\`"'
    holds "inspect --json" 'small "$weft" inspect "$model" --context 400000 --json | grep -q "\"hint\": \"it would fit"'
    sed 's/"hidden_size": 256/"hidden_size": 2048/; s/"intermediate_size": 1024/"intermediate_size": 8192/' "$model/config.json" >"$dir/large.json"
    holds "memory: smaller weights" 'small "$weft" memory "$dir/large.json" | tee "$dir/out" | grep -qF "it would fit with \`--weights q6_K\`"'
    holds "they do" '! small "$weft" memory "$dir/large.json" --weights q6_K | grep -q "does NOT fit"'
    holds "too large anyhow" '(ulimit -v 120000; "$weft" memory "$dir/large.json") | grep -qF "too large even with \`--weights q2_K --context 128\`"'
fi
fails "a budget that is none" 2 "memory=2Q: expected a number of bytes" "$weft" memory "$model" --device cpu,memory=2Q
holds "no hint where it fits" '! "$weft" inspect "$model" | grep -q "it would"'
fails "a configuration by itself" 1 "\`weft init $model/../../configs/gpt-neox-20b.json DIR\`" "$weft" generate "$model/../../configs/gpt-neox-20b.json" --tokens 1

# ---- names on the hub: a made-up cache; what is there opens, nothing is fetched ----
export HF_HUB_CACHE=$dir/hub; unset HF_HOME HUGGINGFACE_HUB_CACHE
repo=$dir/hub/models--some--tiny.neox_1 want=$("$weft" tokenize "$model" --prompt "Once upon")
snapshot() { mkdir -p "$repo/snapshots/$1" && ln -s "$(realpath "$model")"/*.json "$(realpath "$model")/model.safetensors" "$repo/snapshots/$1/"; }
once() { (cd "$dir" && "$@" "$weft" tokenize some/tiny.neox_1 --prompt "Once upon" 2>"$dir/err"); }
case $weft in /*) ;; *) weft=$PWD/$weft ;; esac
fails "not in the cache" 1 '`weft pull some/tiny.neox_1` fetches it' "$weft" generate some/tiny.neox_1 --tokens 1
holds "the cache is named" 'grep -qF "$dir/hub" "$dir/err"'
mkdir -p "$dir/here" && fails "into a folder that is there" 1 "here/nothing: no such file" env -C "$dir" "$weft" generate here/nothing --tokens 1
fails "a word is no name" 1 "nothing: no such file" "$weft" generate nothing --tokens 1
fails "a file is no name" 1 "a/config.json: no such file" "$weft" generate a/config.json --tokens 1
snapshot aaaa; same "the one snapshot" "$want" "$(once)"
snapshot bbbb; fails "two, and no word which" 1 "refs/main names none of the 2 snapshots" "$weft" generate some/tiny.neox_1 --tokens 1
mkdir "$repo/refs"; printf bbbb >"$repo/refs/main"; rm "$repo"/snapshots/aaaa/tokenizer.json
same "that of main" "$want" "$(once)"
rm "$repo"/snapshots/bbbb/model.safetensors "$repo"/snapshots/bbbb/tokenizer.json
ln -s blobs/gone "$repo/snapshots/bbbb/model.safetensors"
same "that of main is broken: the other" 13 "$("$weft" generate some/tiny.neox_1 --tokens 424,436,260,398 --max-tokens 1)"
rm "$repo"/snapshots/aaaa/config.json
fails "none is whole: main, and what it lacks" 1 "the link leads nowhere" "$weft" generate some/tiny.neox_1 --tokens 1
holds "and how to go on" 'grep -qF "(\`weft pull some/tiny.neox_1\` fetches what is missing)" "$dir/err"'
rm -r "$repo/snapshots/bbbb" "$repo/refs"
fails "nothing left" 1 '`weft pull some/tiny.neox_1` fetches it' "$weft" inspect some/tiny.neox_1
snapshot cccc
same "HF_HOME" "$want" "$(mkdir "$dir/home" && ln -s "$dir/hub" "$dir/home/hub" && once env -u HF_HUB_CACHE HF_HOME="$dir/home")"
same "XDG_CACHE_HOME" "$want" "$(mkdir "$dir/xdg" && ln -s "$dir/home" "$dir/xdg/huggingface" && once env -u HF_HUB_CACHE XDG_CACHE_HOME="$dir/xdg")"
same "the default folder" "$want" "$(mkdir "$dir/me" && ln -s "$dir/xdg" "$dir/me/.cache" && once env -u HF_HUB_CACHE -u XDG_CACHE_HOME HOME="$dir/me")"
same "~ is the home folder" "$want" "$(once env HF_HUB_CACHE='~/hub' HOME="$dir")"
mkdir -p "$dir/some/tiny.neox_1"; fails "a path that exists wins" 1 "some/tiny.neox_1" env -C "$dir" "$weft" tokenize some/tiny.neox_1 --prompt x
holds "a title is the name that was given" '"$weft" memory some/tiny.neox_1 | head -1 | grep -qxF "tiny.neox_1"'
holds "and that of a folder that is called by a dot" 'mkdir -p "$dir/dotted" && cp "$model/config.json" "$dir/dotted" && (cd "$dir/dotted" && "$weft" memory ./config.json) | head -1 | grep -qxF "dotted"'

# ---- usage and errors ----
fails "no such model" 1 "$dir/none" "$weft" generate "$dir/none" --prompt x
mkdir "$dir/pointer" && cp "$model/config.json" "$dir/pointer/"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 34\n' >"$dir/pointer/model.safetensors"
for f in config.json tokenizer.json generation_config.json; do # each of a folder's files, empty, a pointer, a broken link
    mkdir -p "$dir/part" && rm -f "$dir"/part/* && ln -s "$(realpath "$model")"/*.json "$(realpath "$model")/model.safetensors" "$dir/part/"
    rm -f "$dir/part/$f" && : >"$dir/part/$f"
    fails "an empty $f" 1 "$f: the file is empty: an incomplete download?" "$weft" generate "$dir/part" --prompt x
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 34\n' >"$dir/part/$f"
    fails "a pointer for $f" 1 "$f: a Git LFS pointer in place of the file" "$weft" generate "$dir/part" --prompt x
    ln -sf ../blobs/gone "$dir/part/$f"
    fails "a broken link for $f" 1 "$f: the link leads nowhere: an incomplete download?" "$weft" generate "$dir/part" --prompt x
done
mkdir "$dir/unweighted" && cp "$model/config.json" "$dir/unweighted/"
fails "no weights" 1 "(without weights: weft inspect $dir/unweighted/config.json)" "$weft" inspect "$dir/unweighted"
ln -s nowhere "$dir/link" && fails "a link to nowhere" 1 "the link leads nowhere" "$weft" generate "$dir/link" --tokens 1
fails "Git LFS pointer" 1 "git lfs pull" "$weft" generate "$dir/pointer" --tokens 1
sed 's/"gelu"/"swish2"/' "$model/config.json" >"$dir/odd.json"
fails "unknown activation" 1 "'hidden_act'" "$weft" inspect "$dir/odd.json"
holds "the file is named once" '! grep -q "odd.json.*odd.json" "$dir/err"'
fails "no such device" 2 "expected one of" "$weft" generate "$model" --prompt x --device cuda
fails "no device at all" 2 "expected one of" "$weft" generate "$model" --prompt x --device ""
fails "not a device after a device" 2 "unknown option 'cuda'" "$weft" generate "$model" --prompt x --device cpu,cuda
fails "no such CPU" 1 "there is one CPU" "$weft" generate "$model" --prompt x --device cpu:1
same "a device that is not there is left out" ",13" "$("$weft" generate "$model" --tokens 424,436,260,398 --max-tokens 1 --device cpu:7,cpu --json 2>"$dir/err" | flat /dev/stdin | grep -oE '"tokens":\[13' | sed 's/.*\[/,/')"
holds "and a note says so" 'grep -q "^note: cpu:7 is left out: cpu:7: there is one CPU" "$dir/err"'
fails "unless it must be" 1 "there is one CPU" "$weft" generate "$model" --prompt x --device cpu:7,cpu --strict
fails "a wrong option is never left out" 2 "thread=1" "$weft" generate "$model" --prompt x --device cpu,thread=1,cpu
"$weft" generate "$model" --tokens 1 --device cpu:7,cpu:8 >"$dir/out" 2>"$dir/err"; same "none of several: exit status" 1 $?
holds "none of several: the first one's reason" 'grep -q "^weft: cpu:7: there is one CPU" "$dir/err"'
fails "bad device option" 2 "threads=0" "$weft" generate "$model" --prompt x --device cpu,threads=0
fails "id out of range" 1 "4096" "$weft" generate "$model" --tokens 4096
fails "context too small" 1 "5 tokens, more than the context of 4" "$weft" generate "$model" --tokens 1,2,3,4,5 --context 4
fails "more memory than there is" 1 "are needed" "$weft" generate "$model" --tokens 1 --kv f32 --context 16777216
fails "no prompt" 2 "prompt" "$weft" generate "$model"
fails "two prompts" 2 "prompt" "$weft" generate "$model" --prompt a --tokens 1
fails "bad ids" 2 "1,,2" "$weft" generate "$model" --tokens 1,,2
fails "bad number" 2 "top-p" "$weft" generate "$model" --prompt x --top-p 2
fails "no log-probabilities" 2 "logprobs" "$weft" generate "$model" --prompt x --logprobs 0
fails "unknown option" 2 "--nonsense" "$weft" generate "$model" --nonsense
for c in --help --man "generate --help" "help bench"; do
    "$weft" $c >/dev/full 2>"$dir/err"; same "$c to a full disk: exit status" 1 $?
done
cp -r "$model" "$dir/"$'bytes\xff'
same "a path that is not UTF-8, as JSON" '"bytes?"' "$(cd "$dir" && "$weft" bench $'bytes\xff' --json --repeat 1 --prompt-tokens 2 --decode-tokens 1 | flat /dev/stdin | sed 's/.*"model":\([^,]*\),.*/\1/')"
fails "an unknown letter among others" 2 "unknown option -z;" "$weft" generate "$model" -zs 1
fails "a value that a flag does not take" 2 "--json takes no value: --json=1" "$weft" generate "$model" --json=1
fails "a device of too many letters" 2 "is too long" "$weft" generate "$model" --prompt x --device "cpu,$(printf '%01200d' 0)"
fails "a GPU of too many letters" 2 "is too long" "$weft" devices --test "vulkan:$(printf '%01200d' 0)"
fails "unknown command" 2 "frobnicate" "$weft" frobnicate
fails "unknown format" 2 "q9_9" "$weft" generate "$model" --prompt x --weights q9_9
fails "cannot write" 1 "$dir/no/where" "$weft" logits "$model" --tokens 1 --output "$dir/no/where"
"$weft" >/dev/null 2>&1; same "nothing at all: exit status" 2 $?
holds "version" '"$weft" --version | grep -qE "^weft [0-9]+\.[0-9]+\.[0-9]+$"'
# ---- chat-template ----
chat_from() { local from=$1; shift; "$weft" chat-template "$@" <"$from"; }
chat='{"messages": [{"role": "user", "content": "Hi"}], "now": "2026-11-30T09:10:45", "chat_template": '
same "chat-template" "<s>user: Hi" "$(echo "$chat"'"{{ bos_token }}{{ messages[0].role }}: {{ messages[0].content }}", "bos_token": "<s>"}' | "$weft" chat-template)"
same "chat-template: the time" "30 Nov 2026" "$(echo "$chat"'"{{ strftime_now(\"%d %b %Y\") }}"}' | "$weft" chat-template)"
echo "$chat"'"a\nb{{ raise_exception(\"no roles\") }}"}' >"$dir/raises"
fails "chat-template: a template that refuses" 1 "chat_template: line 2: no roles" chat_from "$dir/raises"
fails "chat-template: no JSON" 1 "standard input: line 1" "$weft" chat-template </dev/null
echo '{"messages": [{}]}' >"$dir/no_template"
fails "chat-template: no template" 2 "expected MODEL" chat_from "$dir/no_template"
fails "chat-template: a model without one" 1 "has no chat template" chat_from "$dir/no_template" "$model"
cp -r "$model" "$dir/chat" && echo '{"chat_template": [{"name": "default", "template": "D{{ eos_token }}"}, {"name": "tool_use", "template": "T"}, {"name": "rag", "template": "R"}], "eos_token": "E"}' >"$dir/chat/tokenizer_config.json"
same "chat-template of a model" "DE" "$(echo '{"messages": [{}]}' | "$weft" chat-template "$dir/chat" | sed 's/<|endoftext|>/E/')"
same "chat-template with tools" "T" "$(echo '{"messages": [{}], "tools": []}' | "$weft" chat-template "$dir/chat")"
same "chat-template by name" "R" "$(echo '{"messages": [{}]}' | "$weft" chat-template "$dir/chat" --name rag)"
fails "chat-template: no such name" 1 "there are: default, tool_use, rag" chat_from "$dir/no_template" "$dir/chat" --name x
same "chat-template of the object before the model's" "O" "$(echo '{"messages": [{}], "chat_template": "O{# #}"}' | "$weft" chat-template "$dir/chat")"
printf 'J\n' >"$dir/chat/chat_template.jinja"
same "chat_template.jinja first" "J" "$(echo '{"messages": [{}]}' | "$weft" chat-template "$dir/chat")"
same "chat-template --show" "J" "$("$weft" chat-template "$dir/chat" --show)"
"$weft" convert "$dir/chat" "$dir/chat.gguf" >/dev/null && same "chat-template of a GGUF file" "J" "$(echo '{"messages": [{}]}' | "$weft" chat-template "$dir/chat.gguf")"

for c in generate logits embed classify tokenize detokenize chat-template perplexity inspect bench graph init quantize imatrix devices; do
    holds "$c --help" '"$weft" $c --help | grep -q "^usage: weft $c"'
    holds "man page has $c" '"$weft" --man | grep -q "^.SS weft $c"'
done
fails "an option twice" 2 "--prompt is given twice: 'a' and 'b'" "$weft" generate "$model" --prompt a --prompt b
fails "a device twice" 2 "--device is given twice" "$weft" generate "$model" -p x --device cpu --device cpu
fails "a model twice" 2 "MODEL is given twice" "$weft" generate -m "$model" "$model" -p x
fails "a command misspelt" 2 "did you mean 'generate'?" "$weft" genrate
fails "a word of no command misspelt" 2 "(did you mean '--version'?); see" "$weft" --verison
fails "an option misspelt" 2 "did you mean '--max-tokens'?" "$weft" generate "$model" -p x --max-token_ 3
fails "a choice misspelt" 2 "did you mean 'q8_0'?" "$weft" generate "$model" -p x --weights q8-0
fails "a seed of 65 bits" 2 "from 0 to 18446744073709551615" "$weft" generate "$model" -p x --seed 18446744073709551616
holds "letters as elsewhere" '[ "$("$weft" generate -m "$model" -p "Once upon a time" -n 3 -t 1 -s 18446744073709551615 -c 64)" = "Once upon a time, there was" ]'
holds "-f" '[ "$("$weft" tokenize "$model" -f "$dir/prompt")" = "$("$weft" tokenize "$model" --file "$dir/prompt")" ]'
holds "-h" '"$weft" generate -h | grep -q "  -p, --prompt TEXT"'
"$weft" init "$model/config.json" "$dir/seeded" --seed 18446744073709551615 || bad "init with the largest seed"
# ---- convert ----
"$weft" convert "$model" "$dir/tiny.gguf" || bad "convert to GGUF"
"$weft" convert "$dir/tiny.gguf" "$dir/tiny/" || bad "convert to a folder"
holds "the folder's files come back" 'cmp -s "$model/config.json" "$dir/tiny/config.json" && cmp -s "$model/tokenizer.json" "$dir/tiny/tokenizer.json"'
same "the words, too" "Once upon a time$story" "$("$weft" generate "$dir/tiny" --prompt "Once upon a time" --max-tokens 16)"
ids() { "$weft" generate "$1" --tokens 424,436,260,398 --max-tokens 16 --json | tr -d ' \n' | grep -o '"tokens":\[[0-9,]*'; }
same "the GGUF file's tokens" "$(ids "$model")" "$(ids "$dir/tiny.gguf")"
"$weft" init "$model/config.json" "$dir/r.gguf" --format gguf --weights q4_K || bad "init a GGUF file"
holds "its types" '"$weft" inspect "$dir/r.gguf" --tensors | grep -qF "Q4_K  [256, 1024] blk.0.ffn_down.weight"'
fails "init --format" 2 "a GGUF file's name ends with .gguf" "$weft" init "$model/config.json" "$dir/r" --format gguf
fails "init --weights of a folder" 2 "is for GGUF files" "$weft" init "$model/config.json" "$dir/r" --weights q4_K
"$weft" inspect "$dir/tiny.gguf" --metadata >"$dir/keys"
holds "inspect --metadata" 'grep -qF "GGUF version 3, little-endian, 1 file" "$dir/keys" && grep -qE "^  gptneox.block_count +u32 6$" "$dir/keys" && grep -qE "tokenizer.ggml.tokens +string.4096. .<.endoftext" "$dir/keys"'
same "the GGUF file's words" "Once upon a time$story" "$("$weft" generate "$dir/tiny.gguf" --prompt "Once upon a time" --max-tokens 16)"
fails "convert onto a folder" 1 "is no empty folder" "$weft" convert "$dir/tiny.gguf" "$dir/tiny"
fails "convert without a target" 2 "OUT" "$weft" convert "$model"
"$weft" generate "$model" --prompt x -n 2 --verbose --device cpu 2>"$dir/err" >/dev/null
holds "--verbose sums up" 'grep -q "^device 0: cpu" "$dir/err" && grep -qE "^  [0-9]+ on device 0: on the device that was asked for" "$dir/err" && grep -q "tokens/s" "$dir/err" && [ "$(wc -l <"$dir/err")" -lt 20 ]'
# what memory and graph show is what a session runs: the same steps, the same bytes, one program where it has one
for chunk in 1 8; do
    "$weft" logits "$model" --tokens 1,2 --chunk $chunk --device cpu --verbose --output "$dir/row" 2>"$dir/err"
    "$weft" memory "$model" --chunk $chunk --device cpu --format json >"$dir/i"
    bytes=$(flat "$dir/i" | grep -o '"arena":[0-9]*' | cut -d: -f2 | awk '$1 > n { n = $1 } END { printf "%.1f KiB", n / 1024 }')
    holds "memory plans what is run: $chunk" 'grep -qF "activations $bytes" "$dir/err"'
done
for p in prompt decode; do
    steps=$("$weft" graph "$model" --chunk 8 --device cpu --stage planned --program $p | sed -n 's/^steps: \([0-9]*\),.*/\1/p')
    holds "graph plans what is run: $p" 'grep -qE "^$p program: [0-9]+ nodes, $steps steps" "$dir/err"'
done
holds "profile --check tells" '"$weft" profile "$model" --prompt-tokens 4 --decode-tokens 1 --repeat 1 --check --format md | grep -qE "^check: [0-9]+ results compared with the plain float32 path, 0 differ"'
holds "completion is valid bash" '"$weft" --completion bash | bash -n'
words=$(bash -c "$("$weft" --completion bash)"'; COMP_WORDS=(weft generate --pro); COMP_CWORD=2; _weft; echo "${COMPREPLY[*]}"' 2>/dev/null)
same "completion of options" "--prompt --prompt-file" "$words"
same "full disk is reported" 1 "$("$weft" devices >/dev/full 2>/dev/null; echo $?)"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
