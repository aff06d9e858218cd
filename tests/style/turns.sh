#!/bin/sh
# turns.sh TURNS.TXT: the turns of tests that tools/check does not run for each commit (cmake/WeftTest.cmake) cost the
# same, or nearly, by tests/costs.txt: none is far above the mean. A single test that is belongs in two.
set -eu
awk '
{ cost[$1] += $2; sum += $2; tests++; if ($2 > most[$1]) { most[$1] = $2; longest[$1] = $3 } }
END {
    for (turn in cost) turns++
    if (!turns) { print "no turns in this build"; exit }
    for (turn in cost) {
        printf "%s: %d s, of which %s takes %d\n", turn, cost[turn], longest[turn], most[turn] | "sort"
        if (cost[turn] > 1.25 * sum / turns + 5) faults++
    }
    close("sort")
    if (faults) printf "%d turns cost a quarter more than the mean, which is %d s\n", faults, sum / turns
    exit faults != 0
}' "$1"
