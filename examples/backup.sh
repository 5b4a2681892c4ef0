#!/bin/sh
# Back up a directory to a dated archive and delete all but the newest ones.
#
#   backup.sh [-k KEEP] [-n NAME] [-x PATTERN]... SOURCE DESTINATION
#
#   -k KEEP     how many archives to keep, the new one included (default 7)
#   -n NAME     what the archives are called (default: the name of SOURCE)
#   -x PATTERN  leave out files that match, as in -x '*.tmp'; may be given several times
#
# Makes DESTINATION/NAME-20261122T023000Z.tar.gz. Its name appears only when the archive is complete, and nothing is
# deleted unless the new one is there. Needs tar and gzip. Exit codes: 0 done, 1 failed, 2 wrong usage.
set -u
umask 077
unset CDPATH
export LC_ALL=C

me=${0##*/}

fail() {
    echo "$me: $1" >&2
    exit "${2:-1}"
}

usage() {
    fail "$1; usage: $me [-k KEEP] [-n NAME] [-x PATTERN]... SOURCE DESTINATION" 2
}

keep=7
name=
patterns=
while getopts k:n:x: option; do
    case $option in
        k) keep=$OPTARG ;;
        n) name=$OPTARG ;;
        # One pattern a line: tar reads them from a file, so no pattern is ever taken apart by the shell.
        x) patterns="$patterns$OPTARG
" ;;
        *) usage "unknown option" ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 2 ] || usage "SOURCE and DESTINATION are needed"
case $keep in
    '' | *[!0-9]* | 0*) usage "-k must be a whole number from 1 on" ;;
esac

[ -d "$1" ] || fail "there is no directory $1"
source=$(cd -- "$1" && pwd -P) || fail "$1 cannot be entered"
mkdir -p -- "$2" || fail "$2 cannot be made"
destination=$(cd -- "$2" && pwd -P) || fail "$2 cannot be entered"
case $destination/ in
    "${source%/}"/*) fail "$destination lies inside $source, so each backup would hold all earlier ones" ;;
esac
name=${name:-${source##*/}}
case $name in
    */* | -* | .*) usage "-n must be a plain name" ;;
esac

# A run that was killed leaves this file behind; the next one begins it anew.
part=$destination/.$name.part
list=$part.exclude
trap 'rm -f -- "$part" "$list"' EXIT
trap 'exit 143' HUP INT TERM
printf '%s' "$patterns" >"$list" || fail "$destination cannot be written"

archive=$destination/$name-$(date -u +%Y%m%dT%H%M%SZ).tar.gz
tar -C "$source" -X "$list" -czf "$part" .
status=$?
if [ "$status" -eq 1 ] && tar --version 2>/dev/null | grep -q GNU; then
    # GNU tar says 1 for a file that was written to meanwhile; the others are in the archive as they were.
    echo "$me: some files changed while they were read" >&2
elif [ "$status" -ne 0 ]; then
    fail "tar failed with exit code $status; nothing was deleted"
fi
mv -f -- "$part" "$archive" || fail "$archive cannot be written"
echo "made $archive ($(wc -c <"$archive") bytes)"

# The shell sorts what it finds by name, which is by date.
set -- "$destination/$name"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z.tar.gz
while [ $# -gt "$keep" ]; do
    rm -- "$1" || fail "$1 cannot be deleted"
    echo "deleted $1"
    shift
done
echo "$# of at most $keep archives kept"
