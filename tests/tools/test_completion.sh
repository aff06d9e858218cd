#!/usr/bin/env bash
# test_completion.sh WEFT SHELL: asks the shell itself what it completes. 77: that shell is not here.
weft=$1 shell=$2
command -v "$shell" >/dev/null || { echo "skipped: $shell is not here (tools/setup installs it)"; exit 77; }
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
"$weft" --completion "$shell" >"$dir/weft.$shell" || exit 1
mkdir -p "$dir/here/models" && touch "$dir/here/moby.txt" && cd "$dir/here" || exit 1
ln -s "$weft" "$dir/weft"
PATH=$dir:$PATH
failed=0

# complete WORDS...: the candidates for the last word, one a line, sorted.
case $shell in
bash) complete() {
    bash --norc -c 'source "$1"; shift; COMP_WORDS=(weft "$@"); COMP_CWORD=$#; _weft; printf "%s\n" "${COMPREPLY[@]}"' \
        - "$dir/weft.bash" "$@" | sort
} ;;
fish) complete() {
    HOME=$dir fish --no-config -c 'source $argv[1]; complete -C "weft $argv[2]"' "$dir/weft.fish" "$*" | cut -f1 | sort
} ;;
zsh) complete() { # a zsh in a terminal of its own; the candidates are what its completion functions are given to show
    HOME=$dir zsh -f -c '
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z "PROMPT=; autoload -Uz compinit; compinit -u -d $1/dump; source $1/weft.zsh"
        zpty -w z "compadd() { local -a got; builtin compadd -O got \"\$@\"; print -rl -- START \$got END; }"
        zpty -w z "bindkey \"^I\" complete-word; zstyle \":completion:*\" list-prompt \"\"; echo READ\"\"Y"
        zpty -r -m z line "*READY*"
        zpty -w -n z "weft $2"$'"'\t'"'
        zpty -w z $'"'\x15'"'"echo DO\"\"NE"
        zpty -r -m z all "*DONE*"
        print -r -- "$all"' - "$dir" "$*" | tr -d '\r' | sed -n '/START/,/END/p' | grep -vE 'START|END|^$' | sort -u
} ;;
esac

# gives "what" WORDS... -- CANDIDATES...: these and no others.
gives() {
    local what=$1 words=() want got
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    want=$(printf '%s\n' "$@" | sort)
    for _ in 1 2 3 4 5; do # a shell that is not ready yet when it is typed at gives nothing
        got=$(complete "${words[@]}")
        [ "$got" = "$want" ] && return
        [ -z "$got" ] || break
    done
    failed=1
    echo "FAILED: $shell: $what: wanted: $(echo $want), got: $(echo $got)"
}

gives "a command" per -- perplexity
gives "an option" generate --pro -- --prompt --prompt-file
gives "an option of devices" embed --no-c -- --no-cache
gives "choices" generate --kv q5 -- q5_0 q5_1
gives "choices of a command's own" embed --pool m -- mean
gives "a device" generate --device v -- vulkan
gives "files" tokenize m --file mob -- moby.txt
gives "files, by the letter" generate m -f mob -- moby.txt
exit $failed
