#!/bin/sh
# Run several scripts in order and stop at the first one that fails.
#
#   run.sh DIRECTORY
#
# The steps are the executable files beside this one whose names begin with two digits; here they collect figures
# of this machine, summarise them and publish them as a page. Each gets DIRECTORY, which holds what one step makes
# for the next, as its argument. DIRECTORY/steps.log tells which step ran when and how it ended.
# Exit codes: 0 all steps are done, 2 wrong usage, else that of the step that failed.
set -u
unset CDPATH

here=$(cd -- "$(dirname -- "$0")" && pwd -P) || exit 2
if [ $# -ne 1 ]; then
    echo "run.sh: a directory to work in is needed; usage: run.sh DIRECTORY" >&2
    exit 2
fi
mkdir -p -- "$1" || exit 2
work=$(cd -- "$1" && pwd -P) || exit 2

for step in "$here"/[0-9][0-9]_*; do
    [ -x "$step" ] || continue
    name=${step##*/}
    echo "== $name"
    "$step" "$work"
    status=$?
    echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $name $status" >>"$work/steps.log"
    if [ "$status" -ne 0 ]; then
        echo "run.sh: $name failed with exit code $status; the steps after it were not run" >&2
        exit "$status"
    fi
done
