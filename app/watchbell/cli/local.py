"""The source of commands that is on this machine: its database, its data directory and its scheduler process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from watchbell import clock
from watchbell.cli.chain_sources import LocalChains
from watchbell.cli.edit_sources import LocalEdits
from watchbell.cli.environment_sources import LocalEnvironments
from watchbell.cli.foresight import LocalForesight
from watchbell.cli.past_sources import LocalPast
from watchbell.cli.source import Counts, Piece, RunDetail, RunList, RunQuery, RunRow, RunVerdict, TaskList, TaskRow
from watchbell.cli.template_sources import LocalTemplates
from watchbell.domain import tags
from watchbell.domain.run_state import ACTIVE, RunState
from watchbell.store import glance

# The services stand on the database library, which takes longer to load than a quick look at the tasks takes as a whole:
# it is loaded by the method that needs it.
if TYPE_CHECKING:
    from watchbell.cli.program import Program
    from watchbell.control.process import SchedulerStatus, StopOutcome
    from watchbell.services.judgements import Told
    from watchbell.services.queues import QueueView
    from watchbell.services.streams import Stream
    from watchbell.store.pauses import Pause
    from watchbell.store.runs import Run
    from watchbell.store.tasks import Task

_FARTHER = 10
_LOOK_SECONDS = 0.1
#: People decide one by one; more than this are open nowhere.
_MOST_UNDECIDED = 10_000


class LocalSource(LocalChains, LocalEdits, LocalEnvironments, LocalForesight, LocalPast, LocalTemplates):
    """Answers from the database that the settings name. What only looks or changes makes no database."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._streams: dict[tuple[int, str, int | None], Stream] = {}

    def list_tasks(
        self,
        *,
        search: str = "",
        enabled: bool | None = None,
        owner: str | None = None,
        team: str | None = None,
        tag: str | None = None,
    ) -> TaskList:
        """Return the tasks that fit, by name."""
        self._program.require_data()
        found = None if search else glance.list_tasks(self._program.config.database_url)
        if found is not None:
            tasks, newest = found
            return TaskList([task for task in tasks if _fits(task, enabled, owner, team, tag)], newest, len(tasks))
        from watchbell.services import tasks as service

        page = service.list_page(
            self._program.existing_db, search=search, enabled=enabled, owner=owner, team=team, recent=1
        )
        newest = {task_id: runs[0] for task_id, runs in page.recent.items() if runs}
        return TaskList([task for task in page.tasks if _fits(task, None, None, None, tag)], newest, page.total)

    def find_task(self, name: str) -> Task:
        """Return the task of a name or an id."""
        from watchbell.services import tasks

        return tasks.find_by_name(self._program.existing_db, name)

    def list_moments(self, task: TaskRow, limit: int) -> Sequence[datetime]:
        """Return a task's next moments, but for those that are left out, as far as anybody would look."""
        from watchbell.services import blackouts, tasks

        row = tasks.get(self._program.existing_db, task.id)
        due = tasks.upcoming(row, after=clock.now(), limit=limit * _FARTHER)
        found = blackouts.marked(self._program.existing_db, row.id, due)
        return [occurrence.due_at for occurrence in found if not occurrence.is_left_out][:limit]

    def check_task(self, fields: Mapping[str, object]) -> None:
        """Raise InputError for the fields of a new task."""
        from watchbell.services import tasks

        tasks.check(fields, now=clock.now(), defaults=self._program.defaults)

    def add_task(self, fields: Mapping[str, object]) -> Task:
        """Make a task, and the database if there is none."""
        from watchbell.services import tasks

        program = self._program
        return tasks.create(program.db, fields, now=clock.now(), actor=program.actor, defaults=program.defaults)

    def change_task(self, task: TaskRow, fields: Mapping[str, object]) -> Task:
        """Change a task."""
        from watchbell.services import tasks

        program = self._program
        return tasks.update(
            program.existing_db, task.id, fields, now=clock.now(), actor=program.actor, defaults=program.defaults,
            expected_version=task.version,
        )  # fmt: skip

    def enable_task(self, task: TaskRow, *, enabled: bool) -> Task:
        """Enable or disable a task."""
        from watchbell.services import tasks

        db, actor = self._program.existing_db, self._program.actor
        return tasks.set_enabled(db, task.id, enabled, now=clock.now(), actor=actor)

    def delete_task(self, task: TaskRow) -> Task:
        """Delete a task."""
        from watchbell.services import tasks

        return tasks.delete(self._program.existing_db, task.id, now=clock.now(), actor=self._program.actor)

    def trigger_task(
        self,
        task: TaskRow,
        *,
        key: str | None = None,
        asap: bool = False,
        given: Mapping[str, object] | None = None,
        version: int | None = None,
    ) -> Run:
        """Ask for a run."""
        from watchbell.services import triggers

        db, actor = self._program.existing_db, self._program.actor
        if asap:
            return triggers.run_soon(db, task.id, now=clock.now(), actor=actor)
        return triggers.run_now(db, task.id, now=clock.now(), actor=actor, key=key, given=given, version=version)

    def read_bundle(self, run_id: int) -> bytes:
        """Return the zip of files that run a run again elsewhere."""
        from watchbell.services import bundles

        db, config = self._program.existing_db, self._program.config
        with bundles.write(db, run_id, output_path=config.output_path, base=config.child_environment) as file:
            return file.read()

    def run_again(self, run_id: int, *, exactly: bool) -> Run:
        """Ask for another run like this one."""
        from watchbell.services import runs, triggers

        db, actor = self._program.existing_db, self._program.actor
        ask = triggers.run_exactly if exactly else triggers.run_like
        return ask(db, runs.get(db, run_id), now=clock.now(), actor=actor)

    def list_runs(self, query: RunQuery) -> RunList:
        """Return the runs that fit, newest first."""
        from watchbell.services import decisions, runs

        db = self._program.existing_db
        if query.undecided:
            found = decisions.list_open(db, limit=_MOST_UNDECIDED)
            shown = [run for run in found if query.task_id is None or run.task_id == query.task_id]
            return RunList(shown[: query.limit], has_older=len(shown) > query.limit)
        chosen = runs.RunFilter(task_id=query.task_id, states=query.states, since=query.since)
        page = runs.list_page(db, chosen, before_id=query.before_id, limit=query.limit)
        return RunList(page.runs, has_older=page.has_older)

    def find_run(self, run_id: int) -> Run:
        """Return a run."""
        from watchbell.services import runs

        return runs.get(self._program.existing_db, run_id)

    def show_run(self, run_id: int) -> RunDetail:
        """Return all about a run."""
        from watchbell.services import runs, steps

        db = self._program.existing_db
        found = runs.get_detail(db, run_id)
        return RunDetail(
            run=found.run,
            attempts=found.attempts,
            events=found.events,
            definition=found.definition,
            task_exists=found.task_exists,
            steps=steps.list_of(db, found),
            steps_of={attempt.number: steps.list_of(db, found, attempt.number) for attempt in found.attempts},
        )

    def read_output(self, run_id: int, stream: str, offset: int, limit: int, attempt: int | None = None) -> Piece:
        """Return a part of what a run has written."""
        from watchbell.services.streams import Stream

        key = (run_id, stream, attempt)
        if key not in self._streams:
            db, folder = self._program.existing_db, self._program.config.output_path
            self._streams[key] = Stream(db, folder, run_id, stream, attempt)
        part = self._streams[key].read(offset, limit)
        found = part.slice
        return Piece(found.data, found.offset, found.next_offset, found.size, part.is_complete)

    def wait_for_run(self, run_id: int, seconds: float) -> RunRow:
        """Return a run as soon as it has ended, or as it is after so many seconds."""
        deadline = clock.monotonic() + seconds
        run = self.find_run(run_id)
        while RunState(run.state) in ACTIVE:
            rest = deadline - clock.monotonic()
            if rest <= 0:
                break
            clock.pause(min(_LOOK_SECONDS, rest))
            run = self.find_run(run_id)
        return run

    def cancel_run(self, run_id: int) -> Run:
        """Ask for a run's end."""
        from watchbell.services import runs

        return runs.cancel(self._program.existing_db, run_id, now=clock.now(), actor=self._program.actor)

    def decide(self, run_id: int, choice: str) -> Run:
        """Decide about a lost run."""
        from watchbell.services import decisions

        return decisions.decide(self._program.existing_db, run_id, choice, now=clock.now(), actor=self._program.actor)

    def find_verdict(self, run_id: int) -> RunVerdict:
        """Return what a run was like."""
        from watchbell.services import judgements, runs

        runs.get(self._program.existing_db, run_id)
        return _verdict(run_id, judgements.tell(self._program.existing_db, run_id))

    def expect(self, run_id: int, *, undo: bool = False) -> RunVerdict:
        """Say that an unusual run was as it should be, or take it back."""
        from watchbell.services import judgements

        act = judgements.retract if undo else judgements.expect
        told = act(self._program.existing_db, run_id, now=clock.now(), actor=self._program.actor)
        return _verdict(run_id, told)

    def count(self) -> Counts:
        """Return the numbers of today, which begins at midnight in the zone in which times are shown."""
        from watchbell.services import runs

        found = runs.overview(self._program.existing_db, day_start=self._program.day_start(clock.now()), recent=0)
        queues = self.list_queues()
        return Counts(
            tasks=found.total_tasks,
            enabled=found.enabled_tasks,
            running=sum(queue.in_flight for queue in queues),
            waiting=sum(queue.queued for queue in queues),
            today=found.today,
        )

    def find_pause(self, scope: str) -> Pause | None:
        """Return the pause of a scope."""
        from watchbell.services import pauses

        return pauses.find(self._program.existing_db, scope, now=clock.now())

    def list_pauses(self) -> Sequence[Pause]:
        """Return all pauses in force."""
        from watchbell.services import pauses

        return pauses.list_all(self._program.existing_db, now=clock.now())

    def pause(self, scope: str, *, reason: str, until: datetime | None) -> Pause:
        """Pause what a scope names."""
        from watchbell.services import pauses

        db, actor = self._program.existing_db, self._program.actor
        return pauses.pause(db, scope, now=clock.now(), actor=actor, reason=reason, until=until)

    def resume(self, scope: str) -> bool:
        """End a pause and return whether there was one."""
        from watchbell.services import pauses

        return pauses.resume(self._program.existing_db, scope, now=clock.now(), actor=self._program.actor)

    def list_queues(self) -> Sequence[QueueView]:
        """Return all queues by name."""
        from watchbell.services import queues

        return queues.list_all(self._program.existing_db, now=clock.now())

    def set_queue(self, name: str, changes: Mapping[str, object]) -> QueueView:
        """Change a queue, and make the database if there is none."""
        from watchbell.services import queues

        db, actor = self._program.db, self._program.actor
        before = next((one for one in queues.list_all(db, now=clock.now()) if one.name == name), None)
        kept = {"max_running": before.max_running, "comment": before.comment} if before else {"max_running": None}
        wanted: dict[str, Any] = {**kept, **changes}
        queues.set_bounds(db, name, **wanted, now=clock.now(), actor=actor)
        return next(one for one in queues.list_all(db, now=clock.now()) if one.name == name)

    def remove_queue(self, name: str) -> None:
        """Take the bound from a queue."""
        from watchbell.services import queues

        queues.remove(self._program.existing_db, name, now=clock.now(), actor=self._program.actor)

    def list_alert_rules(self) -> Sequence[Mapping[str, Any]]:
        """Return all alert rules by name."""
        from watchbell.services import alert_rules

        return list(map(alert_rules.told, alert_rules.list_all(self._program.existing_db)))

    def find_alert_rule(self, name: str) -> Mapping[str, Any]:
        """Return the alert rule of a name or an id."""
        from watchbell.services import alert_rules

        return alert_rules.told(alert_rules.find_by_name(self._program.existing_db, name))

    def add_alert_rule(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make an alert rule, and the database if there is none."""
        from watchbell.services import alert_rules

        made = alert_rules.create(self._program.db, fields, now=clock.now(), actor=self._program.actor)
        return alert_rules.told(made)

    def change_alert_rule(self, rule: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change an alert rule."""
        from watchbell.services import alert_rules

        db, actor, version = self._program.existing_db, self._program.actor, rule["version"]
        changed = alert_rules.update(db, rule["id"], fields, now=clock.now(), actor=actor, expected_version=version)
        return alert_rules.told(changed)

    def remove_alert_rule(self, rule: Mapping[str, Any]) -> None:
        """Remove an alert rule."""
        from watchbell.services import alert_rules

        alert_rules.remove(self._program.existing_db, rule["id"], now=clock.now(), actor=self._program.actor)

    def try_alert_rule(self, expression: str, task_id: int | None, limit: int) -> Mapping[str, Any]:
        """Return what a condition comes to of the last runs."""
        from watchbell.services import alert_rules

        return alert_rules.told_of(alert_rules.try_out(self._program.existing_db, expression, task_id, limit=limit))

    def list_alerts(self, filters: Mapping[str, Any], limit: int) -> Sequence[Mapping[str, Any]]:
        """Return the alerts that fit, newest first."""
        from watchbell.services import alerts

        page = alerts.list_page(self._program.existing_db, alerts.AlertFilter(**filters), limit=limit)
        return list(map(alerts.told, page.alerts))

    def set_acknowledged(self, alert_ids: Sequence[int], *, is_known: bool) -> Sequence[int]:
        """Acknowledge alerts, or open them again."""
        from watchbell.services import alerts

        change = alerts.acknowledge if is_known else alerts.reopen
        return change(self._program.existing_db, alert_ids, now=clock.now(), actor=self._program.actor)

    def scheduler_status(self) -> SchedulerStatus:
        """Return what the scheduler of this data directory is doing."""
        from watchbell.control import process

        return process.status(self._program.config, self._program.existing_db, now=clock.now())

    def list_schedulers(self) -> Sequence[Mapping[str, Any]]:
        """Return all schedulers that have told of themselves, the one that beat last first."""
        from watchbell.services import heartbeats

        return list(map(heartbeats.told, heartbeats.list_lives(self._program.existing_db, now=clock.now())))

    def start_scheduler(self) -> SchedulerStatus:
        """Start the scheduler, and make the database if there is none."""
        from watchbell.control import process

        return process.start(self._program.config, self._program.db, actor=self._program.actor)

    def stop_scheduler(self, *, kill: bool = False) -> StopOutcome:
        """Stop the scheduler, whoever started it."""
        from watchbell.control import process

        program = self._program
        return process.stop(program.config, program.existing_db, actor=program.actor, kill=kill)

    def restart_scheduler(self) -> SchedulerStatus:
        """Stop the scheduler if it runs, then start it."""
        from watchbell.control import process

        return process.restart(self._program.config, self._program.db, actor=self._program.actor)


def _fits(task: TaskRow, enabled: bool | None, owner: str | None, team: str | None, tag: str | None) -> bool:
    return (
        (enabled is None or task.enabled == enabled)
        and (owner is None or task.owner.lower() == owner.lower())
        and (team is None or task.team.lower() == team.lower())
        and (tag is None or tags.has(task.tags, tag))
    )


def _verdict(run_id: int, told: Told) -> RunVerdict:
    from watchbell.services import judgements

    reason = judgements.reason_of(told.judgement)
    return RunVerdict(run_id, told.judgement.verdict.value, reason, told.expected_by, told.expected_at)
