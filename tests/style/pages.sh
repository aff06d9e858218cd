#!/bin/sh
# Pages show what there is: relative links of the Markdown files lead to files, and every picture of docs/images is on a
# page.
set -eu
pages=$(find . -name build -prune -o -name .git -prune -o -name '*.md' -print | sort)
faults=0
for page in $pages; do
    folder=$(dirname "$page")
    for link in $(grep -oE '\]\([^)# ]+' "$page" | cut -c3- | grep -vE '^(https?|mailto):' || true); do
        [ -e "$folder/$link" ] && continue
        echo "$page: '$link' leads nowhere"
        faults=1
    done
done
for picture in docs/images/*; do
    grep -qF "($picture)" README.md || grep -qF "(images/$(basename "$picture"))" docs/*.md && continue
    echo "$picture: on no page"
    faults=1
done
exit $faults
