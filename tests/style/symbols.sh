#!/bin/sh
# symbols.sh OBJDUMP LIBWEFT debug|release STATIC_LIBRARY...
# What the object code shows: library code does not abort, exit, print or read the environment; it has no global mutable
# state (nothing in .data or .bss; constant tables lie in .rodata and .data.rel.ro); libweft exports weft_ names alone.
set -eu
objdump=$1 shared=$2 build=$3
shift 3

"$objdump" -t "$@" | awk -v build="$build" '
/file format/ { object = $1; sub(/:$/, "", object) }
/ \*UND\*/ {
    name = $NF
    sub(/@.*/, "", name)
    if (name ~ /^(abort|exit|_exit|_Exit|quick_exit|raise|printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|fputc|putc|perror|getenv|secure_getenv|setenv|setlocale|system|stdout|stderr|stdin|__(v|f|vf)?printf_chk|__fprintf_chk|__vfprintf_chk)$/ ||
        (name == "__assert_fail" && build == "release")) {
        printf "%s: uses %s\n", object, name
        faults++
    }
}
# address flags section size name; flags hold O for an object
/ (\.data|\.bss|\.tdata|\.tbss|\*COM\*)[ \t]/ || / \.(data|bss|tdata|tbss)\.[^ \t]*[ \t]/ {
    if ($0 ~ / \.data\.rel\.ro/ || $0 !~ /^[0-9a-f]+ .....?.?O/) next
    printf "%s: %s is global mutable state\n", object, $NF
    faults++
}
END { exit faults > 0 }
'

"$objdump" -T "$shared" | awk '
$0 ~ / \*UND\*/ || $0 !~ /^[0-9a-f]+ g/ { next }
$NF !~ /^weft_/ {
    printf "libweft exports %s\n", $NF
    faults++
}
{ exported++ }
END {
    if (!exported) print "libweft exports nothing"
    exit faults > 0 || !exported
}
'
