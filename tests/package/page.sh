#!/bin/sh
# page.sh PAGE FOLDER: does in FOLDER what a page says. A block marked with a language and a name, such as `c tide.c`, is a
# piece of that file, which is its pieces one after the other, an empty line between them. Of blocks marked `console` every
# command is run and must print what stands below it, errors included. FOLDER has the repository's examples/ and models/
# beside what the page makes. CC, CXX and FLAGS are the compilers; LD_LIBRARY_PATH, PKG_CONFIG_PATH and PATH lead to what is
# installed.
set -eu
page=$1 folder=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
rm -rf "$folder"
mkdir -p "$folder/bin"
awk -v folder="$folder" '
    /^```/ { if (file) file = ""; else if (NF == 2) { file = folder "/" $2; if (begun[file]++) print "" > file; next } }
    file { print > file }' "$page"
awk '$0 == "```console" { on = 1; next } /^```/ { on = 0 } on' "$page" | awk -v folder="$folder" '
    /^\$ / { n++; print substr($0, 3) > (folder "/command." n); printf "" > (folder "/wanted." n); next }
    { print > (folder "/wanted." n) }
    END { print n > (folder "/count") }'
compiler() {
    printf '#!/bin/sh\nexec %s -Wall -Wextra -Werror %s "$@"\n' "$2" "$FLAGS" > "$folder/bin/$1"
    chmod +x "$folder/bin/$1"
}
compiler cc "$CC -std=c11"
compiler c++ "$CXX -std=c++17"
ln -s "$root/examples" "$root/models" "$folder"
cd "$folder"
PATH=$PWD/bin:$PATH
n=$(cat count) i=0
[ "$n" -ge 5 ] || { echo "$page: only $n commands were found"; exit 1; }
while [ "$i" -lt "$n" ]; do
    i=$((i + 1))
    sh "command.$i" > "got.$i" 2>&1 || true
    grep -q '^weft: --format html: ' "got.$i" && continue # built without what draws it
    cmp -s "wanted.$i" "got.$i" || { cat "command.$i"; diff "wanted.$i" "got.$i"; exit 1; }
done
echo "$n commands do what the page says"
