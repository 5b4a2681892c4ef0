"""The runner of steps: a small shell program that is a run's own process and starts one step after the other.

It is given to a shell as an argument, so nothing on disk has to stay what it was while a run goes on, and the commands
of the steps are arguments of it: none is ever pasted into a text that a shell reads as part of another.

Each step has a process group of its own, made by timeout(1), which sends TERM to the group when the step's time is up,
and KILL after the grace. What has left that group is found by the mark in its environment once the command itself has
ended, and is told to end in the same way: TERM, the grace, KILL. What a step that ended by itself has left running
stays until the end of the run, whose watcher ends it.

TERM to the runner means that the run is to end: the step that goes on has been told so as well, and when it has ended no
other one begins. Into the status file of the attempt, behind the keeper's lines, it writes ``steps`` with the time at
which it began, and for each step

``begin NUMBER TIME OUT ERR``             TIME on the clock that counts from the boot, OUT and ERR the bytes written so far
``done NUMBER TIME HOW CODE OUT ERR``     HOW is exit, time (its limit was reached) or cut (the run was told to end)

so that it is known how far an attempt has come whoever lives to read it.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence

from watchbell.domain.steps import Step, Trace
from watchbell.execution.bundle import STEPS
from watchbell.execution.command import SHELL
from watchbell.execution.process import SpawnFailed

#: The variables by which a step knows its number, and by which its processes are found.
NUMBER, MARK = "WATCHBELL_STEP", "WATCHBELL_STEP_MARK"
#: Where the programs of the system are, whatever PATH a task has.
_TIMEOUT = shutil.which("timeout", path=os.defpath)
#: For timeout(1) no grace means that KILL is never sent.
_LEAST_GRACE = 0.01
_READ_BYTES = 1 << 20
#: The descriptor on which a runner notes that has no record which it may write; its program names it.
NOTES = 9

# The names of its variables begin with wb_, so that they never meet one that a step is to see. Its own standard error is
# closed to what a shell says about the death of a command; the steps have the true one.
PROGRAM = r"""
wb_note() {
    # As another user than the scheduler's it notes on a descriptor that it was given.
    if [ -z "$wb_record" ]; then printf '%s\n' "$*" >&9; else [ -e "$wb_record" ] && printf '%s\n' "$*" >>"$wb_record"; fi
}
wb_look() {
    read -r wb_time wb_rest </proc/uptime
    wb_now=$((${wb_time%.*} * 100 + 1${wb_time#*.} - 100))
}
wb_measure() { wb_sizes=$(command -p stat -L -c %s "/proc/$$/fd/1" "/proc/$$/fd/3") || wb_sizes='- -'; }
wb_find_strays() {
    wb_strays=
    for wb_file in $(command -p grep -lszxF "WATCHBELL_STEP_MARK=$wb_mark.$wb_number" /proc/[0-9]*/environ); do
        wb_file=${wb_file#/proc/}
        wb_strays="$wb_strays ${wb_file%/environ}"
    done
    [ -n "$wb_strays" ]
}
wb_sweep() {
    wb_find_strays || return
    kill -s TERM $wb_strays
    kill -s CONT $wb_strays
    wb_look
    wb_until=$((wb_now + wb_grace * 100))
    while [ -z "$wb_told" ] && wb_find_strays && wb_look; do
        if [ "$wb_now" -ge "$wb_until" ]; then
            kill -s KILL $wb_strays
            [ "$wb_now" -lt $((wb_until + 1000)) ] || return
        fi
        command -p sleep 0.1
    done
}
wb_timeout=$1 wb_record=$2 wb_mark=$3 wb_grace=$4 wb_kill_after=$5
shift 5
unset IFS
wb_told= wb_first=0 wb_number=0
trap 'wb_told=1' TERM
exec 3>&2 2>/dev/null
wb_look
wb_note steps "$wb_time"
wb_measure
while [ $# -gt 0 ] && [ -z "$wb_told" ]; do
    wb_number=$((wb_number + 1))
    wb_look
    wb_began=$wb_now
    wb_note begin "$wb_number" "$wb_time" $wb_sizes
    # Asked again as late as can be: what is not there yet when the run is told to end is not told.
    [ -z "$wb_told" ] || break
    (
        export WATCHBELL_STEP="$wb_number" WATCHBELL_STEP_MARK="$wb_mark.$wb_number"
        exec "$wb_timeout" -k "$wb_kill_after" "$1" /bin/sh -c -- "$3" 2>&3 3>&- 9>&-
    )
    wb_code=$?
    wb_look
    wb_how=exit
    if [ "$wb_code" = 124 ] || [ "$wb_code" = 137 ]; then
        [ "$1" = 0 ] || [ $((wb_now - wb_began)) -lt $(($1 * 100 - 1)) ] || wb_how=time
    fi
    [ -z "$wb_told" ] || wb_how=cut
    [ "$wb_how" != time ] || wb_sweep
    wb_look
    wb_measure
    wb_note done "$wb_number" "$wb_time" "$wb_how" "$wb_code" $wb_sizes
    if [ "$wb_code" != 0 ]; then
        [ "$wb_first" != 0 ] || wb_first=$wb_code
        [ "$2" = 1 ] || break
    fi
    shift 3
done
if [ -n "$wb_told" ]; then
    trap - TERM
    kill -s TERM $$
fi
exit "$wb_first"
"""


def steps_command(steps: Sequence[Step], record: str, token: str, grace_seconds: float) -> tuple[str, ...]:
    """Return the arguments that run steps one after the other and write their course into the record of an attempt.

    Without a record, which only the scheduler's own user may write, it goes to the descriptor NOTES.

    Raises SpawnFailed on a system without timeout(1).
    """
    if _TIMEOUT is None:
        raise SpawnFailed("steps need the program timeout of coreutils, which is not on this machine", 127)
    grace = max(grace_seconds, _LEAST_GRACE)
    arguments = [_TIMEOUT, record, token, str(int(grace_seconds)), f"{grace:g}"]
    for step in steps:
        arguments += [str(step.timeout_seconds or 0), "1" if step.continue_on_failure else "0", step.command]
    return (SHELL, "-c", PROGRAM, "watchbell-steps", *arguments)


def read_traces(record: str) -> list[Trace]:
    """Return how far the steps of an attempt have come, as its status file says; nothing where that is gone."""
    return parse_traces(_read(f"{record}{STEPS}") or _read(record))


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _READ_BYTES)
    finally:
        os.close(descriptor)


def parse_traces(data: bytes) -> list[Trace]:
    """Return what the lines about steps say; a line that is not whole, or makes no sense, says nothing."""
    found: dict[int, Trace] = {}
    origin = 0.0
    for line in data.split(b"\n")[:-1]:
        kind, *words = line.split(b" ")
        try:
            if kind == b"steps":
                origin = float(words[0])
            elif kind == b"begin":
                number, time, out, err = words
                found[int(number)] = Trace(int(number), _since(time, origin), _size(out), _size(err))
            elif kind == b"done":
                number, time, how, code, out, err = words
                found[int(number)] = dataclasses.replace(
                    found[int(number)],
                    ended=_since(time, origin),
                    how=how.decode("ascii"),
                    exit_code=int(code),
                    out_to=_size(out),
                    err_to=_size(err),
                )
        except (ValueError, IndexError, KeyError):
            # A full disk has cut it short, or a command has written into a file that is not its own.
            continue
    return [found[number] for number in sorted(found)]


def _since(time: bytes, origin: float) -> float:
    return round(max(float(time) - origin, 0.0), 2)


def _size(word: bytes) -> int | None:
    return None if word == b"-" else int(word)
