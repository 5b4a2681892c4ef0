"""What can be gone to or done from anywhere, as the search and the command palette offer it: only what one may do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import url_for

from watchbell.domain import searching
from watchbell.domain.presence import SchedulerState
from watchbell.services import environment_sets, pauses
from watchbell.services.search import DeviceHit
from watchbell.web import current, offers, pausing, schedule_words
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.places import places
from watchbell.web.told import told

#: So many environment sets are offered at a time.
_MOST_SETS = 5
#: Verbs that may stand before the name of a task.
VERBS = ("run", "enable", "disable", "edit", "pause", "resume")


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """Somewhere to go, or something to do."""

    #: Names it for good, so that it is known again when it was chosen before.
    key: str
    #: page, action, task, device or run.
    kind: str
    title: str
    address: str
    icon: str
    detail: str = ""
    method: str = "GET"
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: What is asked before it is done, and the words of the button that does it.
    question: str = ""
    agree: str = ""
    #: Further words by which it is found.
    words: str = ""
    #: Of a run, or of the newest run of a task.
    state: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as the palette's script reads it; what is empty is left out."""
        told = {name: getattr(self, name) for name in ("key", "kind", "title", "address", "icon", "method")}
        more = {name: getattr(self, name) for name in ("detail", "question", "agree", "state")}
        fields = {"fields": dict(self.fields)} if self.fields else {}
        return {**told, **{name: value for name, value in more.items() if value}, **fields}


def find(text: str) -> list[Choice]:
    """Return the pages and actions that have all words of a text in their names; all of them for none."""
    words = searching.words_of(text)
    found = [one for one in [*_pages(), *_actions()] if searching.answers(f"{one.title} {one.words}", words)]
    return _offered([*found, *_sets(words)])


def split(text: str) -> tuple[str, str]:
    """Return the verb that a text begins with and the rest, or no verb and all of it."""
    verb, _gap, rest = text.strip().partition(" ")
    return (verb.lower(), rest.strip()) if verb.lower() in VERBS and rest.strip() else ("", text.strip())


def of_task(row: Any) -> Choice:
    """Return the page of a task as a choice; a row of ``services.search``."""
    schedule = schedule_words.sentence_of(row)
    detail = schedule if row.enabled else _("disabled · %(schedule)s", schedule=schedule)
    return Choice(f"task:{row.id}", "task", row.name, url_for("tasks.detail", task_id=row.id), "tasks", detail)


def of_device(hit: DeviceHit) -> Choice:
    """Return the page of a device as a choice."""
    device = hit.device
    tags = " ".join(f"{key}={value}" for key, value in hit.tags.items())
    detail = f"{device.type} · {tags}" if tags else device.type
    address = url_for("fleet_devices.detail", uuid=device.uuid)
    return Choice(f"device:{device.id}", "device", device.name, address, "fleet", detail)


def of_run(row: Any) -> Choice:
    """Return the page of a run as a choice; a row of ``services.search``."""
    address = url_for("runs.detail", run_id=row.id)
    return Choice(
        f"run:{row.id}", "run", f"#{row.id} {row.task_name}", address, "runs", told(row.reason), state=row.state
    )


def line_address(run_id: int, stream: str, line: int) -> str:
    """Return the address of a line in the output of a run."""
    mark = "E" if stream == "stderr" else "L"
    stream_asked = stream if stream == "stderr" else None
    return url_for("runs.detail", run_id=run_id, stream=stream_asked, _anchor=f"{mark}{line}")


def acts_of_task(row: Any) -> list[Choice]:
    """Return what can be done with a task."""
    scope = pauses.task_scope(row.id)
    is_paused = pausing.of(scope) is not None
    name = row.name
    found = [
        _act(f"run:task:{row.id}", _("Run %(name)s now", name=name), url_for("tasks.run", task_id=row.id), "play"),
        _act(f"disable:task:{row.id}", _("Disable %(name)s", name=name), url_for("tasks.disable", task_id=row.id), "cancelled")
        if row.enabled
        else _act(f"enable:task:{row.id}", _("Enable %(name)s", name=name), url_for("tasks.enable", task_id=row.id), "check"),
        _go(f"edit:task:{row.id}", _("Edit %(name)s", name=name), url_for("tasks.edit", task_id=row.id), "edit"),
        _act(
            f"resume:task:{row.id}", _("Resume %(name)s", name=name), url_for("pauses.end"), "resume",
            fields={"scope": scope, "next": url_for("tasks.detail", task_id=row.id)},
        )
        if is_paused
        else _go(f"pause:task:{row.id}", _("Pause %(name)s", name=name), url_for("pauses.new", scope=scope), "pause"),
    ]  # fmt: skip
    return _offered(found)


def acts_of_tasks(rows: Sequence[Any], verb: str) -> list[Choice]:
    """Return what a verb does with tasks, or all that can be done with the first of them."""
    if not verb:
        return acts_of_task(rows[0]) if rows else []
    return [act for row in rows for act in acts_of_task(row) if act.key.startswith(f"{verb}:")]


def _offered(found: Iterable[Choice]) -> list[Choice]:
    return [one for one in found if offers.may(one.address, one.method)]


def _go(key: str, title: str, address: str, icon: str, words: str = "") -> Choice:
    return Choice(key, "action", title, address, icon, words=words)


def _act(key: str, title: str, address: str, icon: str, **more: Any) -> Choice:
    return Choice(key, "action", title, address, icon, method="POST", **more)


def _sets(words: Sequence[str]) -> list[Choice]:
    """Return the pages of the environment sets that a search names; of no words there are too many."""
    return [
        Choice(
            f"environment:{name}", "page", _("Environment set %(name)s", name=name),
            url_for("environment_sets.show", name=name), "settings",
        )
        for name in (environment_sets.find_names(database(), words)[:_MOST_SETS] if words else ())
    ]  # fmt: skip


def _pages() -> list[Choice]:
    found = (
        *((place.key, place.endpoint, place.title, place.words) for place in places()),
        ("overview", "timeline.index", _("Timeline"), "lanes gantt past next"),
        ("runs", "calendars.runs", _("Calendar of runs"), "heat map days history"),
        ("runs", "failures.index", _("Failures that are the same"), "groups fingerprints notes runbook"),
        ("next_runs", "calendars.coming", _("Calendar of next runs"), "month upcoming"),
        ("next_runs", "calendars.load", _("Load of the coming week"), "map pile-ups concurrency"),
        ("play", "fleet_execute.index", _("Execute a job"), "fleet order devices rollout run"),
        ("copy", "fleet_templates.index", _("Job templates"), "fleet documents steps"),
        ("log", "fleet_handlers.index", _("Handlers"), "fleet scripts versions"),
        ("fleet", "fleet_devices.index", _("Devices"), "fleet machines agents"),
        ("key", "fleet_enrolment.index", _("Devices that join"), "fleet enrolment codes pending approve"),
        ("fleet", "fleet_groups.index", _("Groups of devices"), "fleet"),
        ("undo", "deleted_tasks.index", _("Deleted tasks"), "restore undelete trash bin"),
        ("download", "transfer.index", _("Import tasks"), "crontab yaml json"),
        ("search", "search.index", _("Search"), "find output"),
        ("token", "tokens.index", _("Tokens"), "api access"),
        ("key", "secrets.index", _("Secrets"), "passwords keys credentials vault"),
        ("settings", "environment_sets.index", _("Environment sets"), "variables shared env"),
        ("key", "auth.password", _("Change password"), "account"),
        ("key", "second_factor.index", _("Second factor"), "totp 2fa otp authenticator account"),
        ("key", "passkeys.index", _("Passkeys"), "webauthn fido security key fingerprint account"),
        ("key", "provider.index", _("Single sign-on"), "oidc openid sso provider login account"),
        ("key", "users.sessions", _("Sessions"), "login devices account"),
        ("person", "users.index", _("Users"), "accounts roles"),
        ("check", "audit.index", _("Audit"), "security who did what"),
        ("info", "api_docs.swagger", _("API"), "rest openapi swagger documentation"),
    )
    return [
        Choice(f"page:{endpoint}", "page", title, url_for(endpoint), icon, words=words)
        for icon, endpoint, title, words in found
    ]


def _actions() -> list[Choice]:
    new = [
        _go("act:new-task", _("New task"), url_for("tasks.new"), "add", "create make add job"),
        _go("act:add-device", _("Add device"), url_for("fleet_devices.new"), "add", "create make new fleet machine"),
    ]
    failed = Choice(
        "page:failed", "page", _("Failed runs"), url_for("runs.index", state=["failed", "timed_out", "lost"]), "failed", words="errors trouble"
    )  # fmt: skip
    return [*new, failed, _pause(), *_scheduler()]


def _pause() -> Choice:
    if pausing.of_everything() is None:
        return _go("act:pause", _("Pause everything"), url_for("pauses.new"), "pause", "hold stop")
    fields = {"scope": pauses.EVERYTHING, "next": url_for("overview.index")}
    return _act(
        "act:resume", _("Resume everything"), url_for("pauses.end"), "resume", fields=fields, words="pause go on"
    )


def _scheduler() -> list[Choice]:
    state = current.scheduler().state
    if state is SchedulerState.STOPPED:
        start = _act("act:start", _("Start the scheduler"), url_for("scheduler_control.start"), "play", words="run on")
        return [dataclasses.replace(start, question=_("Start the scheduler?"), agree=_("Start"))]
    stop = _act("act:stop", _("Stop the scheduler"), url_for("scheduler_control.stop"), "stop", words="off end")
    again = _act("act:restart", _("Restart the scheduler"), url_for("scheduler_control.restart"), "restart")
    asked = _("Stop the scheduler? No task will be started until it runs again.")
    return [
        dataclasses.replace(stop, question=asked, agree=_("Stop")),
        dataclasses.replace(
            again,
            question=_("Restart the scheduler? Running commands go on; starts are late by a few seconds."),
            agree=_("Restart"),
            words="start stop",
        ),
    ]
