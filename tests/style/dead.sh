#!/bin/sh
# No dead functions: what a source file of the library shares with others (weft__*, cpu_*, gpu_*, vk_*, jinja_*, grammar_*) is used by one of them,
# or by that file itself. A name counts as used where it stands outside of its definition and of declarations, in code
# that is no test. doors.txt lists what tests alone may use, and why.
set -eu
find graph backends models tools \( -name '*.[ch]' -o -name '*.def' \) | sort | xargs awk -v doors=tests/style/doors.txt '
BEGIN {
    while ((getline line < doors) > 0) {
        if (line ~ /^#/ || line ~ /^[ \t]*$/) continue
        split(line, word, " ")
        door[word[1]] = 1
    }
}
/^ *\*[ \/]|^ *\*$|^ *\/\*/ { next } # comments
{
    text = $0
    shared = match(text, /^[a-z][A-Za-z0-9_ *]*[ *](weft__|cpu_|gpu_|vk_|jinja_|grammar_)[a-z0-9_]+\(/) && text !~ /^(static|return|typedef)/
    if (shared) {
        match(text, /(weft__|cpu_|gpu_|vk_|jinja_|grammar_)[a-z0-9_]+\(/)
        if (FILENAME ~ /\.c$/) defined[substr(text, RSTART, RLENGTH - 1)] = FILENAME
        text = substr(text, RSTART + RLENGTH)
    }
    while (match(text, /(weft__|cpu_|gpu_|vk_|jinja_|grammar_)[a-z0-9_]+/)) {
        used[substr(text, RSTART, RLENGTH)]++
        text = substr(text, RSTART + RLENGTH)
    }
}
END {
    for (name in defined) {
        if (!(name in used) && !(name in door)) {
            printf "%s: nobody calls %s: it goes, or its reason into tests/style/doors.txt\n", defined[name], name
            faults++
        }
    }
    for (name in door)
        if (!(name in defined)) {
            printf "tests/style/doors.txt: there is no %s\n", name
            faults++
        }
    exit faults > 0
}
'
