#!/bin/sh
# Every architecture of models.def has at least two goldens, which no other row claims, and a row in docs/models.md that
# names them and counts its lines. So has every wrapper of wrappers.def one golden, and a row that names them.
set -eu
faults=0
for type in $(sed -n 's/^WEFT_ARCH(\(.*\))$/\1/p' models/models.def); do
    row=$(grep -F "| \`$type\` |" docs/models.md || true)
    lines=$(($(wc -l < "models/arch/$type.c")))
    goldens=$(ls tests/reference/arch | sed -n "s/^\($type-.*\)\.json$/\1/p")
    [ "$(echo "$goldens" | wc -w)" -ge 2 ] || { echo "$type: fewer than two goldens"; faults=1; }
    case $row in
    *"| $lines |") ;;
    *) echo "docs/models.md: the row of $type must end with its $lines lines"; faults=1 ;;
    esac
    for golden in $goldens; do
        case $row in
        *"\`$golden\`"*) ;;
        *) echo "docs/models.md: the row of $type lacks its golden $golden"; faults=1 ;;
        esac
    done
done
for type in $(sed -n 's/^WEFT_WRAPPER(\([a-z0-9_]*\),.*$/\1/p' models/wrappers.def); do
    row=$(grep -F "| \`$type\` |" docs/models.md || true)
    goldens=$(ls tests/reference/arch | sed -n "s/^\($type-.*\)\.json$/\1/p")
    [ -n "$goldens" ] || { echo "$type: no golden"; faults=1; }
    for golden in $goldens; do
        case $row in
        *"\`$golden\`"*) ;;
        *) echo "docs/models.md: the row of $type lacks its golden $golden"; faults=1 ;;
        esac
    done
done
exit $faults
