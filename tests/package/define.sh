#!/bin/sh
# define.sh PAGE FOLDER: does in FOLDER what a page says. The blocks marked `c`, one after the other, are tide.c, the one
# marked `json` is config.json; of those marked `console` every command is run and must print what stands below it, errors included. CC
# and FLAGS are the compiler; LD_LIBRARY_PATH, PKG_CONFIG_PATH and PATH lead to what is installed.
set -eu
page=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder/bin"
block() {
    awk -v begin="\`\`\`$1" '$0 == begin { on = 1; next } /^```/ { on = 0 } on' "$page"
}
block c > "$folder/tide.c"
block json > "$folder/config.json"
block console | awk -v folder="$folder" '
    /^\$ / { n++; print substr($0, 3) > (folder "/command." n); printf "" > (folder "/wanted." n); next }
    { print > (folder "/wanted." n) }
    END { print n > (folder "/count") }'
cat > "$folder/bin/cc" <<EOF
#!/bin/sh
exec $CC -std=c11 -Wall -Wextra -Werror $FLAGS "\$@"
EOF
chmod +x "$folder/bin/cc"
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
