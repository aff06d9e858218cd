#!/bin/sh
# Hard limits: .c 600 lines (1,000 in tests/, 120 of an architecture), public header 400, other header 600 (kernel templates are headers), shader 250,
# function 120, line 120 columns. A function is what stands between a brace in the first column and the next closing one
# there. exceptions.txt lists what may be larger, and why.
set -eu
rooms=$(ls -d graph backends models tools tests shaders examples 2>/dev/null || true)
find $rooms \( -name '*.[ch]' -o -name '*.def' -o -name '*.comp' -o -name '*.glsl' \) |
    sort | xargs awk -v exceptions=tests/style/exceptions.txt '
function check(what, name, size, limit) {
    if ((what, name) in allowed) {
        used[what, name] = 1
        limit = allowed[what, name]
    }
    if (size > limit) {
        printf "%s: %s: %d lines, the limit is %d\n", what, name, size, limit
        faults++
    }
}
function close_file() {
    if (file == "") return
    limit = file ~ /^tests\/.*\.c$/ ? 1000 : file ~ /\.c$/ ? 600 : file ~ /\.h$/ ? 600 : file ~ /\.(comp|glsl)$/ ? 250 : 1e9
    if (file in public) limit = 400
    if (file ~ /^models\/arch\//) limit = 120
    check("file", file, lines, limit)
}
BEGIN {
    while ((getline row < "cmake/WeftInstall.cmake") > 0)
        if (match(row, /^  [a-z_]+\/[a-z_\/]+\.h/)) {
            sub(/^ */, "", row)
            sub(/[)]$/, "", row)
            public[row] = 1
        }
    while ((getline row < exceptions) > 0) {
        if (row ~ /^#/ || row ~ /^[ \t]*$/) continue
        split(row, field, " ")
        allowed[field[1], field[2]] = field[3] + 0
    }
}
FNR == 1 {
    close_file()
    file = FILENAME
    start = 0
}
{ lines = FNR }
# Tables and texts that stand in strings may be longer.
length($0) > 120 && file !~ /\.def$/ && !/^ *"[^"]*"[,;]?$/ {
    printf "%s:%d: %d columns\n", file, FNR, length($0)
    faults++
}
/^[a-zA-Z_].*\(/ && !/;[ \t]*$/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^{/ { start = FNR }
/^}/ && start {
    check("function", file ":" name, FNR - start + 1, 120)
    start = 0
}
END {
    close_file()
    for (key in allowed)
        if (!(key in used)) {
            split(key, part, SUBSEP)
            printf "%s lists %s %s, which does not exist\n", exceptions, part[1], part[2]
            faults++
        }
    exit faults > 0
}
'
