#!/bin/sh
# Include direction: tools -> models -> backends -> graph -> libc. Each room has a list of what it may name in quotes (by
# folder; plain names are files of the same folder) and of system headers. A model definition sees the graph alone.
set -eu
c11='assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath time'
posix='pthread semaphore sched unistd fcntl dirent dlfcn sys/file sys/mman sys/stat sys/types sys/resource sys/syscall'
simd='immintrin cpuid arm_neon sys/auxv asm/hwcap linux/futex'
libraries='jansson pcre2 utf8proc'

find graph backends models -name '*.[ch]' -o -name '*.def' | sort | xargs awk \
    -v c11="$c11" -v posix="$posix" -v simd="$simd" -v libraries="$libraries" '
function allow(room, names,   n, part, i) {
    n = split(names, part, " ")
    for (i = 1; i <= n; i++) system_ok[room, part[i]] = 1
}
BEGIN {
    folders["graph"] = "graph"
    folders["backends"] = "graph backends shaders"
    folders["models"] = "graph backends models"
    allow("graph", c11)
    allow("backends", c11 " " posix " " simd " vulkan/vulkan")
    allow("models", c11 " " posix " " libraries)
}
function fault(why) {
    printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why
    faults++
}
/^[ \t]*#[ \t]*include/ {
    split(FILENAME, path, "/")
    room = path[1]
    if (match($0, /<[^>]*>/)) {
        name = substr($0, RSTART + 1, RLENGTH - 2)
        sub(/\.h$/, "", name)
        if (FILENAME ~ /^backends\/gpu\// && name ~ /^vulkan/) fault("backends/gpu/ knows no Vulkan")
        if (!((room, name) in system_ok)) fault(room "/ may not use this system header")
    } else if (match($0, /"[^"]*"/)) {
        name = substr($0, RSTART + 1, RLENGTH - 2)
        if (name ~ /\.\./) fault("name the folder from the root of the tree")
        if (FILENAME ~ /^backends\/gpu\// && name ~ /^backends\/(vulkan|cpu)\//)
            fault("backends/gpu/ decides on data and knows no device")
        folder = name
        if (!sub(/\/.*/, "", folder)) next
        if (index(" " folders[room] " ", " " folder " ") == 0) fault(room "/ may not look into " folder "/")
    }
}
END { exit faults > 0 }
'

# Definitions of models see what they are given, the blocks and the graph, and the C library; blocks the graph alone.
awk '/^[ \t]*#[ \t]*include/ && !/<[a-z]*\.h>/ && !(FILENAME ~ /arch\// ? /"models\/arch\.h"/ : /"models\/(inputs|blocks)\.h"/) {
    printf "%s:%d: %s: a definition includes models/arch.h alone, blocks models/blocks.h\n", FILENAME, FNR, $0
    faults++
}
END { exit faults > 0 }' models/arch/*.c models/blocks*.[ch]
