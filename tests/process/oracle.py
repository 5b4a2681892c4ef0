"""The independent checker of the promises: it knows table names, the effect log and /proc, and nothing of the product.

It opens the database read-only, has its own copy of the state table and its own arithmetic for what is due, and says for each
promise how many violations it found among how many cases. See "Promises" in the documentation for P1 to P8.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

#: Written down from the design, not from the code. Birth is from "-".
LEGAL = {
    "-": {"queued", "skipped", "missed"},
    "queued": {"claimed", "cancelled", "skipped", "missed"},
    "claimed": {"queued", "starting", "cancelling"},
    "starting": {"running", "succeeded", "failed", "timed_out", "lost", "retry_wait", "cancelling"},
    "running": {"succeeded", "failed", "timed_out", "lost", "retry_wait", "cancelling"},
    "cancelling": {"cancelled", "succeeded", "failed", "timed_out", "lost"},
    "retry_wait": {"queued", "cancelled", "skipped", "missed"},
    "succeeded": set(),
    "failed": set(),
    "timed_out": set(),
    "cancelled": set(),
    "lost": set(),
    "skipped": set(),
    "missed": set(),
}
FINAL = {state for state, following in LEGAL.items() if not following}
#: States in which no command was ever started.
NEVER_STARTED = {"skipped", "missed"}
#: States of commands that could not write their own end.
ENDED_BY_US = {"cancelled", "timed_out"}
#: What makes the rows of occurrences; all others are asked for by somebody.
OF_THE_SCHEDULE = {"schedule", "catch_up"}
#: A command tells of its start in hundredths of a second, some time after the scheduler has decided to start it.
START_SLACK_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Effect:
    """One line that a command wrote."""

    run: int
    attempt: int
    fence: int
    task: str
    due: datetime
    what: str
    pid: int
    at: float
    code: int | None


@dataclasses.dataclass
class Verdict:
    """What was found: violations by promise, among how many cases, and what is only counted."""

    cases: Counter[str] = dataclasses.field(default_factory=Counter)
    violations: dict[str, list[str]] = dataclasses.field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = dataclasses.field(default_factory=Counter)

    def check(self, promise: str, holds: bool, words: str) -> None:
        self.cases[promise] += 1
        if not holds:
            self.violations[promise].append(words)

    @property
    def all_violations(self) -> list[str]:
        return [f"{promise}: {words}" for promise, found in self.violations.items() for words in found[:10]]

    def __str__(self) -> str:
        lines = [f"  {promise}: {len(self.violations[promise])} of {n} violated" for promise, n in self.cases.items()]
        return "\n".join([*lines, "  " + ", ".join(f"{name} {n}" for name, n in sorted(self.counts.items()))])


class Oracle:
    """Judges one installation."""

    def __init__(self, database: Path, effects: Path, marker: tuple[str, str]) -> None:
        self.database = database
        self.log = effects
        self._marker = marker
        self._final: dict[int, tuple[Any, ...]] = {}
        #: Runs that somebody wanted to end; one that ends by itself all the same is not tried again.
        self._asked_to_end: set[int] = set()
        self.verdict = Verdict()

    def read(self, query: str) -> list[sqlite3.Row]:
        uri = f"file:{self.database}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=20)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query).fetchall()

    def effects(self) -> list[Effect]:
        if not self.log.exists():
            return []
        found = []
        for line in self.log.read_text().splitlines():
            run, attempt, fence, task, due, what, pid, at, code = line.split(" ")
            number = None if code == "-" else int(code)
            moment = datetime.fromisoformat(due)
            found.append(Effect(int(run), int(attempt), int(fence), task, moment, what, int(pid), float(at), number))
        return found

    def snapshot(self) -> None:
        """Compare every row that was final before with what it is now, and note those that are final now (P4)."""
        marks = ",".join(f"'{state}'" for state in FINAL)
        columns = ", ".join(
            f"run.{row['name']}" for row in self.read("PRAGMA table_info(run)") if row["name"] != "decision"
        )
        rows = self.read(
            # What a person decides about a lost run is noted on it later, and is no part of what it became.
            f"SELECT {columns}, attempt.number, attempt.fence AS f, attempt.exit_code AS e, attempt.ended_at AS a, "
            "attempt.reason AS r, (SELECT group_concat(stream || size || hex(coalesce(content, file))) FROM output "
            f"WHERE attempt_id = attempt.id) FROM run LEFT JOIN attempt ON run_id = run.id WHERE state IN ({marks}) "
            "ORDER BY run.id, attempt.number"
        )
        found: dict[int, tuple[Any, ...]] = {}
        for row in rows:
            found[row["id"]] = (*found.get(row["id"], ()), tuple(row))
        for run, before in self._final.items():
            self.verdict.check("P4 final rows never change", found.get(run) == before, f"run {run} changed: {before}")
        self._final |= found

    def scan_processes(self, *, none_expected: bool = False) -> None:
        """Check that every living process of a command belongs to a row that is active (P6)."""
        # What is final is read first: it is so for ever, however long the scan takes. What is known is read last: a command
        # may have begun meanwhile.
        final = {row["id"] for row in self.read("SELECT id, state FROM run") if row["state"] in FINAL}
        marked = self._list_marked()
        known = {row["id"] for row in self.read("SELECT id FROM run")}
        for pid, environment in marked:
            run = int(environment.get("WATCHBELL_RUN_ID", "-1"))
            fine = run in known and run not in final and not none_expected and "WATCHBELL_RUN_TOKEN" in environment
            self.verdict.check("P6 no process without an active row", fine, f"process {pid} of run {run}")
        self.verdict.cases["P6 no process without an active row"] += none_expected

    def _list_marked(self) -> list[tuple[int, dict[str, str]]]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            # A process that ends while it is looked at has no environment any more.
            with contextlib.suppress(OSError):
                parts = (folder / "environ").read_bytes().decode("utf-8", "replace").split("\0")
                environment = dict(part.partition("=")[::2] for part in parts)
                if environment.get(self._marker[0]) == self._marker[1]:
                    found.append((int(folder.name), environment))
        return found

    def judge(self, until: datetime) -> Verdict:
        """Check all that can be checked at the end; every interval task was enabled, and looked after, until a time."""
        self.snapshot()
        self.scan_processes(none_expected=True)
        runs = {row["id"]: row for row in self.read("SELECT * FROM run")}
        tasks = {row["id"]: row for row in self.read("SELECT * FROM task")}
        effects = self.effects()
        self._judge_database()
        self._judge_occurrences(tasks, list(runs.values()), until)
        self._judge_ends(runs)
        self._judge_events(runs)
        self._judge_starts(tasks, runs, effects)
        self._judge_results(runs, effects)
        self._judge_outputs(runs, tasks)
        ended_by_us = {run["id"] for run in runs.values() if run["state"] in ENDED_BY_US}
        ended_by_themselves = [effect for effect in effects if effect.run not in ended_by_us]
        self._judge_overlaps(tasks, ended_by_themselves)
        self._judge_queues(tasks, ended_by_themselves)
        self.verdict.counts.update(row["state"] for row in runs.values())
        return self.verdict

    def _judge_database(self) -> None:
        answer = [row[0] for row in self.read("PRAGMA integrity_check")]
        self.verdict.check("the database is whole", answer == ["ok"], str(answer))
        orphans = [tuple(row) for row in self.read("PRAGMA foreign_key_check")]
        self.verdict.check("the database is whole", not orphans, str(orphans))

    def _judge_occurrences(self, tasks: dict[int, sqlite3.Row], runs: list[sqlite3.Row], until: datetime) -> None:
        rows: dict[int, Counter[datetime]] = defaultdict(Counter)
        for run in runs:
            if run["trigger"] in OF_THE_SCHEDULE:
                schedule = json.loads(tasks[run["task_id"]]["schedule"])
                step = timedelta(**{schedule["unit"]: schedule["every"]})
                due = _moment(run["due_at"])
                for back in range(run["stands_for"]):
                    rows[run["task_id"]][due - back * step] += 1
        for task in tasks.values():
            schedule = json.loads(task["schedule"])
            if schedule["kind"] != "interval":
                continue
            expected = expected_moments(schedule, _moment(task["created_at"]), until)
            for moment in expected:
                count = rows[task["id"]][moment]
                self.verdict.check(
                    "P1 one row per occurrence", count == 1, f"{task['name']} at {moment} has {count} rows"
                )
            known = set(expected_moments(schedule, _moment(task["created_at"]), until + timedelta(days=1)))
            odd = [str(moment) for moment in rows[task["id"]] if moment not in known]
            self.verdict.check("P1 no row without an occurrence", not odd, f"{task['name']}: {odd[:5]}")

    def _judge_ends(self, runs: dict[int, sqlite3.Row]) -> None:
        for run in runs.values():
            fine = run["state"] in FINAL and bool(run["reason"]) and bool(run["ended_at"])
            words = f"run {run['id']} is {run['state']}, reason {run['reason']!r}, ended {run['ended_at']}"
            self.verdict.check("P1 final state with a reason", fine, words)

    def _judge_events(self, runs: dict[int, sqlite3.Row]) -> None:
        state: dict[int, str] = defaultdict(lambda: "-")
        fence: dict[int, int] = defaultdict(int)
        for event in self.read("SELECT * FROM run_event ORDER BY id"):
            run = event["run_id"]
            words = f"run {run}: event {event['id']} {tuple(event)}"
            self.verdict.check("events follow one another", (event["from_state"] or "-") == state[run], words)
            if event["from_state"] == event["to_state"]:
                self._judge_late_report(event, runs.get(run))
                continue
            path = [*filter(None, event["path"].split(",")), event["to_state"]]
            legal = all(to in LEGAL[at] for at, to in zip([state[run], *path], path, strict=False))
            self.verdict.check("every step is in the table", legal, words)
            claims = path.count("claimed")
            self.verdict.check("fences rise with every claim", event["fence"] == fence[run] + claims, words)
            state[run], fence[run] = event["to_state"], event["fence"]
            if "cancelling" in path:
                self._asked_to_end.add(run)
        for run, row in runs.items():
            agrees = (state[run], fence[run]) == (row["state"], row["fence"])
            self.verdict.check(
                "the log of events ends where the row is", agrees, f"run {run}: {state[run]} {tuple(row)}"
            )

    def _judge_late_report(self, event: sqlite3.Row, run: sqlite3.Row | None) -> None:
        """Check that what came home too late is told beside a run and has changed nothing."""
        words = f"event {event['id']} {tuple(event)}"
        self.verdict.check("a late report is told as one", event["reason"].startswith("late report of attempt "), words)
        self.verdict.check("a late report is about a run", run is not None, words)

    def _judge_starts(self, tasks: dict[int, sqlite3.Row], runs: dict[int, sqlite3.Row], effects: list[Effect]) -> None:
        starts: dict[int, list[Effect]] = defaultdict(list)
        for effect in effects:
            if effect.what == "START":
                starts[effect.run].append(effect)
        attempts = {(row["run_id"], row["number"]): row for row in self.read("SELECT * FROM attempt")}
        ends = {(effect.run, effect.attempt): effect.code for effect in effects if effect.what == "END"}
        booted = datetime.now(UTC).timestamp() - float(Path("/proc/uptime").read_text().split()[0])
        for run, row in runs.items():
            policies = json.loads(tasks[row["task_id"]]["policies"])
            found = starts.pop(run, [])
            if policies["uncertain"] != "run_again":
                self._judge_repetitions(row, found, attempts, ends, policies.get("retries", 0))
            if row["start_by"] and found and found[0].attempt == 1:
                late = booted + found[0].at - _moment(row["start_by"]).timestamp()
                words = f"run {run} started {late:.2f} s after {row['start_by']}"
                self.verdict.check("no first start after the latest start", late <= START_SLACK_SECONDS, words)
            if found:
                early = _moment(row["due_at"]).timestamp() - booted - found[0].at
                self.verdict.check("no start before it is due", early <= 0.1, f"run {run} started {early:.2f} s early")
            never = row["state"] in NEVER_STARTED and found
            self.verdict.check("no start of what did not start", not never, f"run {run} {row['state']}: {found}")
            fences = [effect.fence for effect in found]
            self.verdict.check("fences of starts rise", fences == sorted(set(fences)), f"run {run}: {fences}")
            for effect in found:
                attempt = attempts.get((run, effect.attempt))
                fine = attempt is not None and attempt["fence"] == effect.fence and effect.due == _moment(row["due_at"])
                self.verdict.check("every start has its attempt", fine, f"{effect}")
        self.verdict.check("every start has its run", not starts, f"starts without a run: {starts}")
        self.verdict.counts["started"] = sum(1 for effect in effects if effect.what == "START")

    def _judge_repetitions(
        self,
        row: sqlite3.Row,
        starts: list[Effect],
        attempts: dict[tuple[int, int], sqlite3.Row],
        ends: dict[tuple[int, int], int | None],
        retries: int,
    ) -> None:
        """Check that a command that must not be repeated is started again only where its policy asks for a retry (P2)."""
        run = row["id"]
        numbers = [effect.attempt for effect in starts]
        fine = len(set(numbers)) == len(numbers) <= 1 + retries
        self.verdict.check("P2 at most one start", fine, f"run {run} started: {starts}")
        for effect in starts[:-1]:
            # One that was ended at its time limit could not write its own end.
            attempt = attempts.get((run, effect.attempt))
            known = ends.get((run, effect.attempt)) or (attempt is not None and attempt["signal"])
            words = f"run {run}: attempt {effect.attempt} ended with {known}, and another one followed"
            self.verdict.check("a retry only after a known failure", bool(known), words)
        if row["state"] == "failed" and retries and run not in self._asked_to_end:
            words = f"run {run} is failed after {len(starts)} starts of {1 + retries}"
            self.verdict.check("retries are made before a run is failed", len(starts) == 1 + retries, words)

    def _judge_outputs(self, runs: dict[int, sqlite3.Row], tasks: dict[int, sqlite3.Row]) -> None:
        """Compare what is kept with what the commands of this laboratory write, which depends on nothing but the run."""
        kept = {
            (row["run_id"], row["number"], row["stream"]): row
            for row in self.read("SELECT output.*, run_id, number FROM output JOIN attempt ON attempt.id = attempt_id")
        }
        for run, row in runs.items():
            words = tasks[row["task_id"]]["command"].split()
            if not words[0].endswith("/effect.sh") or row["state"] not in {"succeeded", "failed"}:
                continue
            truth = {"stdout": f"run {run}\n".encode() + b"x" * int([*words, "0"][3]), "stderr": b"to stderr\n"}
            for stream, expected in truth.items():
                found = kept.get((run, row["attempts"], stream))
                content = b"" if found is None else found["content"] or self._file(found["file"])
                told = f"run {run} {stream}: {len(content)} bytes, {content[:40]!r}"
                self.verdict.check("P8 true output kept", content == expected, told)

    def _file(self, name: str) -> bytes:
        file = self.database.with_name("output") / name
        return file.read_bytes() if file.exists() else b""

    def _judge_results(self, runs: dict[int, sqlite3.Row], effects: list[Effect]) -> None:
        """Compare exit codes with what the commands themselves wrote last."""
        ends = {(effect.run, effect.attempt): effect.code for effect in effects if effect.what == "END"}
        for run, row in runs.items():
            truth = ends.get((run, row["attempts"]))
            if row["state"] == "succeeded":
                self.verdict.check("P3 succeeded means that it ended with 0", truth == 0, f"run {run}: {truth}")
            if row["attempts"] and row["state"] not in ENDED_BY_US:
                same = truth is not None and row["exit_code"] == truth
                same = same and row["state"] == ("succeeded" if truth == 0 else "failed")
                words = (
                    f"run {run}: {row['state']} with {row['exit_code']}, {row['reason']!r}; the command said {truth}"
                )
                self.verdict.check("P8 true exit code recorded", same, words)

    def _judge_overlaps(self, tasks: dict[int, sqlite3.Row], effects: list[Effect]) -> None:
        allowed = {task["name"]: json.loads(task["policies"])["overlap"] == "allow" for task in tasks.values()}
        going: dict[str, set[tuple[int, int]]] = defaultdict(set)
        for effect in effects:
            key = (effect.run, effect.attempt)
            if effect.what == "START":
                fine = allowed.get(effect.task, True) or not going[effect.task]
                self.verdict.check("no overlap unless allowed", fine, f"{effect} beside {going[effect.task]}")
                going[effect.task].add(key)
            else:
                going[effect.task].discard(key)

    def _judge_queues(self, tasks: dict[int, sqlite3.Row], effects: list[Effect]) -> None:
        """Check that no more commands of a queue ran at a time than it allows."""
        bounds = {row["name"]: row["max_running"] for row in self.read("SELECT * FROM queue") if row["max_running"]}
        queue_of = {task["name"]: json.loads(task["policies"]).get("queue") for task in tasks.values()}
        going: dict[str, set[tuple[int, int]]] = defaultdict(set)
        for effect in effects:
            queue = queue_of.get(effect.task)
            if queue in bounds and effect.what == "START":
                going[queue].add((effect.run, effect.attempt))
                words = f"{effect} in queue {queue} beside {going[queue]}"
                self.verdict.check("no more of a queue than it allows", len(going[queue]) <= bounds[queue], words)
            elif queue in bounds:
                going[queue].discard((effect.run, effect.attempt))


def expected_moments(schedule: dict[str, Any], created: datetime, until: datetime) -> list[datetime]:
    """Return the moments of an interval in steps from its anchor, after the task was made and up to a time."""
    step = timedelta(**{schedule["unit"]: schedule["every"]})
    moment = _moment(schedule["anchor_at"])
    found = []
    while moment <= until:
        if moment > created:
            found.append(moment)
        moment += step
    return found


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
