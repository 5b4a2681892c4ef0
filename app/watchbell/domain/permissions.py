"""Who may do what: the one place where every route's right is written down.

A route that is not in ROUTES is refused to everybody, so forgetting one is safe; a test fails on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What an account is; each role may do all that the one before it may."""

    VIEWER = "viewer"
    """Sees everything but changes nothing."""
    OPERATOR = "operator"
    """Also runs, cancels, enables and disables, and starts and stops the scheduler."""
    EDITOR = "editor"
    """Also decides what is run: makes, edits and deletes tasks."""
    ADMIN = "admin"
    """Also manages accounts and secrets."""


class Scope(StrEnum):
    """What a token is for; it takes away from the rights of its account's role and never adds to them."""

    READ = "read"
    """Sees everything but changes nothing."""
    RUN = "run"
    """Also runs, cancels, enables, disables and pauses, and starts and stops the scheduler."""
    EDIT = "edit"
    """Also decides what is run: makes, edits and deletes tasks."""
    ADMIN = "admin"
    """All that its account may do, but for passwords, sessions, tokens and accounts."""
    DEVICE = "device"
    """For a managed machine: a device's own key has it, and opens what devices call; a token of an account opens nothing by it."""


class Right(StrEnum):
    """What a route asks of the one who calls it."""

    PUBLIC = "public"
    """Nothing: login, static files, health."""
    VIEW = "view"
    OPERATE = "operate"
    EDIT = "edit"
    ADMINISTER = "administer"
    ACCOUNT = "account"
    """One's own password, sessions and tokens: for whoever has logged in, and for no token, which could make itself immortal."""
    DEVICE = "device"
    """What devices call, each for itself alone: for their own keys, and for no account."""
    PEOPLE = "people"
    """The accounts of others: for administrators who have logged in, and for no token, which could make itself an account."""


_LOOKS = frozenset({Right.PUBLIC, Right.VIEW})
_RUNS = _LOOKS | {Right.OPERATE}
_EDITS = _RUNS | {Right.EDIT}
_NOBODY = frozenset({Right.PUBLIC})

_OF_ROLE: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: _LOOKS | {Right.ACCOUNT},
    Role.OPERATOR: _RUNS | {Right.ACCOUNT},
    Role.EDITOR: _EDITS | {Right.ACCOUNT},
    Role.ADMIN: frozenset(Right) - {Right.DEVICE},
}
_OF_SCOPE: Mapping[Scope, frozenset[Right]] = {
    Scope.READ: _LOOKS,
    Scope.RUN: _RUNS,
    Scope.EDIT: _EDITS,
    Scope.ADMIN: frozenset(Right) - {Right.ACCOUNT, Right.PEOPLE, Right.DEVICE},
    Scope.DEVICE: _NOBODY,
}


#: What the key of a device opens.
OF_DEVICES = frozenset({Right.PUBLIC, Right.DEVICE})


def rights_of(role: str | None, scope: str | None = None) -> frozenset[Right]:
    """Return all that somebody may do: the rights of a role, cut down by the scope of the token that stands for it.

    None is a role of somebody who has not logged in, and a scope of somebody who uses no token. A word that is neither
    a role nor a scope gives no right.
    """
    try:
        rights = _OF_ROLE[Role(role)] if role is not None else _NOBODY
        return rights if scope is None else rights & _OF_SCOPE[Scope(scope)]
    except ValueError:
        return _NOBODY


def is_from(role: str | None, least: str) -> bool:
    """Return whether a role may do all that another one may; a word that is no role is none."""
    order = [one.value for one in Role]
    return role in order and least in order and order.index(role) >= order.index(least)


def scopes_of(role: str) -> tuple[Scope, ...]:
    """Return the scopes that a token of an account with this role can make full use of."""
    rights = rights_of(role)
    return tuple(scope for scope, given in _OF_SCOPE.items() if given <= rights)


def scope_for(right: Right) -> Scope | None:
    """Return the narrowest scope that has a right, None if no token has it."""
    return next((scope for scope, given in _OF_SCOPE.items() if right in given), None)


#: Endpoint -> right. The methods of one endpoint ask for the same.
ROUTES: dict[str, Right] = {
    "static": Right.PUBLIC,
    "language.choose": Right.PUBLIC,
    "language.words": Right.PUBLIC,
    "cron_manager.health": Right.PUBLIC,
    "cron_manager.live": Right.PUBLIC,
    "cron_manager.ready": Right.PUBLIC,
    "auth.login": Right.PUBLIC,
    "auth.link": Right.PUBLIC,
    # Open to whoever has a login that waits for its code.
    "auth.code": Right.PUBLIC,
    # Ending a session that has ended already is no error, so this one must not lead through the login page.
    "auth.logout": Right.PUBLIC,
    "provider.begin": Right.PUBLIC,
    "provider.callback": Right.PUBLIC,
    **dict.fromkeys(
        (f"provider.{name}" for name in ("again", "index", "prove", "link", "found", "confirm", "unlink")),
        Right.ACCOUNT,
    ),
    "auth.password": Right.ACCOUNT,
    **dict.fromkeys(
        (f"second_factor.{name}" for name in ("index", "begin", "confirm", "renew", "switch_off")), Right.ACCOUNT
    ),
    **dict.fromkeys(("passkeys.login", "passkeys.log_in"), Right.PUBLIC),
    **dict.fromkeys(
        (f"passkeys.{name}" for name in ("index", "begin", "new", "add", "rename", "removal", "remove")), Right.ACCOUNT
    ),
    "tokens.index": Right.ACCOUNT,
    "tokens.index_json": Right.ACCOUNT,
    "tokens.new": Right.ACCOUNT,
    "tokens.create": Right.ACCOUNT,
    "tokens.replacement": Right.ACCOUNT,
    "tokens.rotate": Right.ACCOUNT,
    "tokens.revoke": Right.ACCOUNT,
    "users.sessions": Right.ACCOUNT,
    "users.end_session": Right.ACCOUNT,
    "users.end_other_sessions": Right.ACCOUNT,
    "users.index": Right.PEOPLE,
    "users.index_json": Right.PEOPLE,
    "users.new": Right.PEOPLE,
    "users.create": Right.PEOPLE,
    "users.edit": Right.PEOPLE,
    "users.update": Right.PEOPLE,
    **dict.fromkeys((f"teams.{name}" for name in ("index", "index_json", "index_csv")), Right.VIEW),
    # Who is in a team may change its tasks, so that this is as much as the role of an account.
    **dict.fromkeys(
        (f"teams.{name}" for name in ("new", "create", "edit", "update", "deletion", "delete")), Right.PEOPLE
    ),
    "audit.index": Right.ADMINISTER,
    "audit.data": Right.ADMINISTER,
    "audit.index_csv": Right.ADMINISTER,
    "audit.index_json": Right.ADMINISTER,
    "audit.verify": Right.ADMINISTER,
    "overview.index": Right.VIEW,
    "overview.parts": Right.VIEW,
    "overview.data": Right.VIEW,
    "overview.tab_marks": Right.VIEW,
    "overview.mute": Right.OPERATE,
    "overview.unmute": Right.OPERATE,
    "scheduler_control.panel": Right.VIEW,
    "scheduler_control.status": Right.VIEW,
    "scheduler_control.start": Right.OPERATE,
    "scheduler_control.stop": Right.OPERATE,
    "scheduler_control.restart": Right.OPERATE,
    "heartbeats.index": Right.VIEW,
    "heartbeats.parts": Right.VIEW,
    "heartbeats.data": Right.VIEW,
    "log.index": Right.VIEW,
    "log.data": Right.VIEW,
    "log.download": Right.VIEW,
    "log.clear": Right.OPERATE,
    "settings.index": Right.VIEW,
    "settings.index_json": Right.VIEW,
    "settings.index_csv": Right.VIEW,
    "settings.zone": Right.VIEW,
    "sockets.connect": Right.VIEW,
    "tasks.index": Right.VIEW,
    "tasks.data": Right.VIEW,
    "tasks.index_json": Right.VIEW,
    "tasks.index_csv": Right.VIEW,
    # What changes definitions asks for the right to edit as well.
    "tasks.bulk": Right.OPERATE,
    "tasks.export": Right.VIEW,
    "tasks.detail": Right.VIEW,
    "tasks.run": Right.OPERATE,
    "tasks.ask": Right.OPERATE,
    "tasks.keep_set": Right.EDIT,
    "revisions.index": Right.VIEW,
    "revisions.index_json": Right.VIEW,
    "revisions.index_csv": Right.VIEW,
    "revisions.detail": Right.VIEW,
    "revisions.restore": Right.EDIT,
    "tasks.drop_set": Right.EDIT,
    "tasks.soon": Right.OPERATE,
    "tasks.enable": Right.OPERATE,
    "tasks.disable": Right.OPERATE,
    "tasks.new": Right.EDIT,
    "tasks.create": Right.EDIT,
    "tasks.edit": Right.EDIT,
    "tasks.update": Right.EDIT,
    "tasks.preview": Right.EDIT,
    "tasks.copy": Right.EDIT,
    "tasks.delete": Right.EDIT,
    "tasks.restore": Right.EDIT,
    "tasks.restore_many": Right.EDIT,
    **dict.fromkeys((f"deleted_tasks.{name}" for name in ("index", "index_csv", "index_json")), Right.VIEW),
    "task_templates.index": Right.VIEW,
    "task_templates.index_json": Right.VIEW,
    "task_templates.index_csv": Right.VIEW,
    "task_templates.save": Right.EDIT,
    "task_templates.delete": Right.EDIT,
    "fleet_templates.index": Right.VIEW,
    "fleet_templates.index_json": Right.VIEW,
    "fleet_templates.index_csv": Right.VIEW,
    "fleet_templates.show": Right.VIEW,
    "fleet_templates.new": Right.EDIT,
    "fleet_templates.create": Right.EDIT,
    "fleet_templates.edit": Right.EDIT,
    "fleet_templates.update": Right.EDIT,
    "fleet_templates.check": Right.EDIT,
    "fleet_templates.delete": Right.EDIT,
    "fleet_templates.test": Right.OPERATE,
    "fleet_templates.run_test": Right.OPERATE,
    "fleet_handlers.index": Right.VIEW,
    "fleet_handlers.index_json": Right.VIEW,
    "fleet_handlers.index_csv": Right.VIEW,
    "fleet_handlers.show": Right.VIEW,
    "fleet_handlers.script": Right.VIEW,
    "fleet_handlers.new": Right.EDIT,
    "fleet_handlers.create": Right.EDIT,
    "fleet_handlers.edit": Right.EDIT,
    "fleet_handlers.update": Right.EDIT,
    "fleet_handlers.restore": Right.EDIT,
    "fleet_handlers.delete": Right.EDIT,
    # A document of one's own asks for the right to edit as well.
    "fleet_execute.index": Right.OPERATE,
    "fleet_execute.act": Right.OPERATE,
    "bulk_edits.index": Right.EDIT,
    "bulk_edits.change": Right.EDIT,
    "bulk_edits.undo": Right.EDIT,
    "transfer.index": Right.EDIT,
    "transfer.create": Right.EDIT,
    "transfer.export": Right.VIEW,
    # One's own views change nothing that others see.
    "views.index": Right.ACCOUNT,
    "views.show": Right.VIEW,
    "views.save": Right.ACCOUNT,
    "views.rename": Right.ACCOUNT,
    "views.first": Right.ACCOUNT,
    "views.delete": Right.ACCOUNT,
    "next_runs.index": Right.VIEW,
    "next_runs.data": Right.VIEW,
    "next_runs.index_json": Right.VIEW,
    "next_runs.index_csv": Right.VIEW,
    "next_runs.index_ics": Right.VIEW,
    "timeline.index": Right.VIEW,
    "timeline.index_json": Right.VIEW,
    "timeline.index_csv": Right.VIEW,
    "calendars.runs": Right.VIEW,
    "calendars.runs_json": Right.VIEW,
    "calendars.runs_csv": Right.VIEW,
    "calendars.coming": Right.VIEW,
    "calendars.coming_json": Right.VIEW,
    "calendars.coming_csv": Right.VIEW,
    "calendars.load": Right.VIEW,
    "calendars.load_json": Right.VIEW,
    "calendars.load_csv": Right.VIEW,
    "runs.index": Right.VIEW,
    "runs.data": Right.VIEW,
    "runs.bulk": Right.OPERATE,
    "runs.export": Right.VIEW,
    "runs.index_json": Right.VIEW,
    "runs.index_csv": Right.VIEW,
    "runs.detail": Right.VIEW,
    "runs.compare": Right.VIEW,
    "runs.fragment": Right.VIEW,
    "runs.output": Right.VIEW,
    "runs.download": Right.VIEW,
    "runs.bundle": Right.VIEW,
    "runs.steps_json": Right.VIEW,
    "runs.steps_csv": Right.VIEW,
    "run_groups.detail": Right.VIEW,
    "run_groups.detail_json": Right.VIEW,
    "run_groups.detail_csv": Right.VIEW,
    "run_groups.again": Right.OPERATE,
    "runs.cancel": Right.OPERATE,
    "runs.again": Right.OPERATE,
    "runs.exactly": Right.OPERATE,
    "runs.decide": Right.OPERATE,
    "runs.expect": Right.OPERATE,
    "runs.retract": Right.OPERATE,
    **dict.fromkeys((f"failures.{name}" for name in ("index", "index_csv", "index_json", "detail")), Right.VIEW),
    "failures.note": Right.EDIT,
    **dict.fromkeys((f"metrics.{name}" for name in ("index", "index_csv", "index_json")), Right.VIEW),
    **dict.fromkeys((f"task_metrics.{name}" for name in ("index", "index_csv", "index_json")), Right.VIEW),
    **dict.fromkeys(
        (f"alerts.{name}" for name in ("index", "index_json", "index_csv", "rules", "rules_json", "rules_csv")),
        Right.VIEW,
    ),
    "alerts.acknowledge": Right.OPERATE,
    "alerts.reopen": Right.OPERATE,
    **dict.fromkeys(
        (f"alerts.{name}" for name in ("new", "create", "edit", "update", "remove", "preview")), Right.EDIT
    ),
    **dict.fromkeys((f"fleet.{name}" for name in ("index", "index_csv", "index_json")), Right.VIEW),
    **dict.fromkeys(
        (
            f"fleet_executions.{name}"
            for name in (
                *("index", "index_csv", "index_json", "detail", "devices_csv", "devices_json", "device", "download"),
            )
        ),
        Right.VIEW,
    ),
    **dict.fromkeys(
        (f"fleet_executions.{name}" for name in ("pause", "resume", "roll_back", "retry", "cancel")), Right.OPERATE
    ),
    "fleet_executions.delete": Right.EDIT,
    **dict.fromkeys((f"fleet_schedules.{name}" for name in ("index", "index_csv", "index_json", "detail")), Right.VIEW),
    **dict.fromkeys(
        (f"fleet_schedules.{rows}_{kind}" for rows in ("devices", "moments") for kind in ("csv", "json")), Right.VIEW
    ),
    "fleet_schedules.pause": Right.OPERATE,
    "fleet_schedules.resume": Right.OPERATE,
    **dict.fromkeys(
        (f"fleet_schedules.{name}" for name in ("new", "create", "preview", "edit", "update", "delete")), Right.EDIT
    ),
    # Names of secrets are for whoever may use them; their values are for nobody.
    "secrets.index": Right.EDIT,
    "secrets.index_json": Right.EDIT,
    "secrets.index_csv": Right.EDIT,
    "secrets.show": Right.EDIT,
    "secrets.new": Right.ADMINISTER,
    "secrets.create": Right.ADMINISTER,
    "secrets.replacement": Right.ADMINISTER,
    "secrets.replace": Right.ADMINISTER,
    "secrets.deletion": Right.ADMINISTER,
    "secrets.delete": Right.ADMINISTER,
    "task_why.show": Right.VIEW,
    "task_why.show_json": Right.VIEW,
    **dict.fromkeys((f"day_calendars.{name}" for name in ("index", "index_csv", "index_json", "show")), Right.VIEW),
    # A calendar decides about every task that names it, as an edit of each would.
    **dict.fromkeys((f"day_calendars.{name}" for name in ("new", "create", "edit", "update", "remove")), Right.EDIT),
    **dict.fromkeys((f"environment_sets.{name}" for name in ("index", "index_csv", "index_json", "show")), Right.VIEW),
    **dict.fromkeys((f"environment_sets.{name}" for name in ("new", "create", "edit", "update", "remove")), Right.EDIT),
    **dict.fromkeys((f"blackouts.{name}" for name in ("index", "index_csv", "index_json")), Right.VIEW),
    **dict.fromkeys((f"blackouts.{name}" for name in ("new", "create", "edit", "update", "remove")), Right.EDIT),
    "blackouts.ask_removal": Right.EDIT,
    "queues.index": Right.VIEW,
    "queues.index_json": Right.VIEW,
    # A bound decides about every task of a queue, as an edit of each would.
    "queues.edit": Right.EDIT,
    "queues.update": Right.EDIT,
    "queues.remove": Right.EDIT,
    # Whoever may stop the scheduler may pause what it starts.
    "search.index": Right.VIEW,
    "search.index_json": Right.VIEW,
    "search.index_csv": Right.VIEW,
    "pauses.new": Right.OPERATE,
    "pauses.create": Right.OPERATE,
    "pauses.end": Right.OPERATE,
    "earlier.jobs": Right.VIEW,
    "earlier.job": Right.VIEW,
    "api_docs.openapi": Right.VIEW,
    "api_docs.swagger": Right.VIEW,
    "api_docs.redoc": Right.VIEW,
    "gateway.list_jobs": Right.VIEW,
    "gateway.get_job": Right.VIEW,
    "gateway.create_job": Right.EDIT,
    "gateway.update_job": Right.EDIT,
    "gateway.delete_job": Right.EDIT,
    "gateway.enable_job": Right.OPERATE,
    "gateway.disable_job": Right.OPERATE,
    "gateway.trigger_job": Right.OPERATE,
    "gateway.list_runs": Right.VIEW,
    "gateway.get_run": Right.VIEW,
    "gateway.list_runs_of_job": Right.VIEW,
    "gateway.today": Right.VIEW,
    "gateway.health": Right.PUBLIC,
    "gateway.status": Right.VIEW,
    "gateway.config": Right.VIEW,
    "cron_manager.index": Right.VIEW,
    # A start sets the interval of a task, as an edit would.
    "cron_manager.start": Right.EDIT,
    "cron_manager.stop": Right.OPERATE,
    "cron_manager.status": Right.VIEW,
    "cron_manager.logs": Right.VIEW,
    "cron_manager.tail": Right.VIEW,
    "cron_manager.clear": Right.OPERATE,
    "task_dashboard.list_tasks": Right.VIEW,
    "task_dashboard.list_all_tasks": Right.VIEW,
    "task_dashboard.get_task": Right.VIEW,
    "task_dashboard.create_task": Right.EDIT,
    "task_dashboard.update_task": Right.EDIT,
    "task_dashboard.delete_task": Right.EDIT,
    "task_dashboard.list_scheduled": Right.VIEW,
    "task_dashboard.list_logs": Right.VIEW,
    "task_dashboard.status": Right.VIEW,
    "task_dashboard.start": Right.OPERATE,
    "task_dashboard.stop": Right.OPERATE,
    "task_dashboard.log": Right.VIEW,
    "task_dashboard.list_heartbeats": Right.VIEW,
    "script_metrics.list_scripts": Right.VIEW,
    "script_metrics.list_executions": Right.VIEW,
    "script_metrics.list_failed": Right.VIEW,
    "script_metrics.get_execution": Right.VIEW,
    "script_metrics.latest": Right.VIEW,
    "script_metrics.history": Right.VIEW,
    "script_metrics.aggregated": Right.VIEW,
    "script_metrics.available": Right.VIEW,
    "script_metrics.export_json": Right.VIEW,
    "script_metrics.export_csv": Right.VIEW,
    "script_metrics.analyse": Right.VIEW,
    "script_metrics.baseline_of": Right.VIEW,
    "script_metrics.database_stats": Right.VIEW,
    "script_metrics.execution_stats": Right.VIEW,
    "script_metrics.performance_stats": Right.VIEW,
    "sockets.connect_metrics": Right.VIEW,
    "native.index": Right.VIEW,
    "native.version": Right.VIEW,
    "native.health": Right.PUBLIC,
    "native.overview": Right.VIEW,
    "native.list_troubles": Right.VIEW,
    "native.list_next_runs": Right.VIEW,
    "native.list_tasks": Right.VIEW,
    "native.create_task": Right.EDIT,
    "native.get_task": Right.VIEW,
    "native.update_task": Right.EDIT,
    "native.delete_task": Right.EDIT,
    "native.copy_task": Right.EDIT,
    "native.enable_task": Right.OPERATE,
    "native.disable_task": Right.OPERATE,
    "native.run_task": Right.OPERATE,
    "native.get_revision": Right.VIEW,
    "native.restore_revision": Right.EDIT,
    "native.pause_task": Right.OPERATE,
    "native.resume_task": Right.OPERATE,
    "native.list_revisions": Right.VIEW,
    "native.compare_revisions": Right.VIEW,
    "native.list_moments": Right.VIEW,
    "native.list_outcomes": Right.VIEW,
    "native.preview_schedule": Right.VIEW,
    "native.preview_task": Right.EDIT,
    "native.undo_edit": Right.EDIT,
    "native.edit_tasks": Right.EDIT,
    "native.list_deleted_tasks": Right.VIEW,
    "native.list_task_templates": Right.VIEW,
    "native.save_task_template": Right.EDIT,
    "native.create_task_of_template": Right.EDIT,
    "native.delete_task_template": Right.EDIT,
    "native.list_tags": Right.VIEW,
    "native.restore_task": Right.EDIT,
    "native.preview_calendar": Right.EDIT,
    "native.preview_blackout": Right.EDIT,
    # What changes definitions asks for the right to edit as well.
    "native.change_tasks": Right.OPERATE,
    "native.list_runs": Right.VIEW,
    "native.get_run": Right.VIEW,
    "native.get_bundle": Right.VIEW,
    "native.wait_for_run": Right.VIEW,
    "native.cancel_run": Right.OPERATE,
    "native.rerun": Right.OPERATE,
    "native.get_run_group": Right.VIEW,
    "native.decide": Right.OPERATE,
    "native.get_verdict": Right.VIEW,
    "native.expect_run": Right.OPERATE,
    "native.retract_run": Right.OPERATE,
    "native.get_output": Right.VIEW,
    "native.get_raw_output": Right.VIEW,
    "native.list_events": Right.VIEW,
    "native.get_why": Right.VIEW,
    "native.list_calendars": Right.VIEW,
    "native.get_calendar": Right.VIEW,
    "native.create_calendar": Right.EDIT,
    "native.update_calendar": Right.EDIT,
    "native.delete_calendar": Right.EDIT,
    # Names are for everybody; values only for who may give them to a task.
    "native.list_environment_sets": Right.VIEW,
    "native.get_environment_set": Right.EDIT,
    "native.create_environment_set": Right.EDIT,
    "native.update_environment_set": Right.EDIT,
    "native.delete_environment_set": Right.EDIT,
    "native.list_blackouts": Right.VIEW,
    "native.get_blackout": Right.VIEW,
    "native.create_blackout": Right.EDIT,
    "native.update_blackout": Right.EDIT,
    "native.delete_blackout": Right.EDIT,
    "native.list_queues": Right.VIEW,
    "native.get_queue": Right.VIEW,
    "native.put_queue": Right.EDIT,
    "native.delete_queue": Right.EDIT,
    "native.pause_queue": Right.OPERATE,
    "native.resume_queue": Right.OPERATE,
    "native.list_secrets": Right.EDIT,
    "native.get_secret": Right.EDIT,
    "native.put_secret": Right.ADMINISTER,
    "native.delete_secret": Right.ADMINISTER,
    "native.list_pauses": Right.VIEW,
    "native.pause_everything": Right.OPERATE,
    "native.resume_everything": Right.OPERATE,
    "native.get_scheduler": Right.VIEW,
    "native.start_scheduler": Right.OPERATE,
    "native.stop_scheduler": Right.OPERATE,
    "native.restart_scheduler": Right.OPERATE,
    "native.get_log": Right.VIEW,
    "native.clear_log": Right.OPERATE,
    "native.list_heartbeats": Right.VIEW,
    "native.list_incidents": Right.VIEW,
    "native.list_alerts": Right.VIEW,
    "native.acknowledge_alerts": Right.OPERATE,
    "native.reopen_alerts": Right.OPERATE,
    "native.list_alert_rules": Right.VIEW,
    "native.get_alert_rule": Right.VIEW,
    # A trial changes nothing.
    "native.test_alert_rule": Right.VIEW,
    "native.create_alert_rule": Right.EDIT,
    "native.update_alert_rule": Right.EDIT,
    "native.delete_alert_rule": Right.EDIT,
    **dict.fromkeys(
        (f"fleet_devices.{name}" for name in ("index", "data", "index_json", "index_csv", "export")), Right.VIEW
    ),
    **dict.fromkeys((f"fleet_devices.{name}" for name in ("detail", "jobs_json", "jobs_csv")), Right.VIEW),
    # What changes devices asks for the right to edit as well.
    "fleet_devices.bulk": Right.OPERATE,
    **dict.fromkeys((f"fleet_devices.{name}" for name in ("new", "create", "edit", "update", "delete")), Right.EDIT),
    **dict.fromkeys(
        (f"fleet_devices.{name}" for name in ("activate", "deactivate", "rotate_key", "revoke_key", "settle")),
        Right.EDIT,
    ),
    **dict.fromkeys((f"fleet_enrolment.{name}" for name in ("index", "index_json", "index_csv")), Right.VIEW),
    # Whoever holds a code can make a device of a machine.
    **dict.fromkeys((f"fleet_enrolment.{name}" for name in ("new", "create", "revoke")), Right.EDIT),
    **dict.fromkeys((f"fleet_groups.{name}" for name in ("index", "index_json", "index_csv", "detail")), Right.VIEW),
    **dict.fromkeys(
        (f"fleet_groups.{name}" for name in ("new", "create", "edit", "update", "add", "remove", "delete")), Right.EDIT
    ),
    "device_jobs.list_templates": Right.VIEW,
    "device_jobs.get_template": Right.VIEW,
    "device_jobs.create_template": Right.EDIT,
    "device_jobs.update_template": Right.EDIT,
    "device_jobs.delete_template": Right.EDIT,
    "device_jobs.list_handlers": Right.VIEW,
    "device_jobs.create_handler": Right.EDIT,
    # A document of one's own asks for the right to edit as well.
    "device_jobs.execute": Right.OPERATE,
    "device_jobs.preview": Right.OPERATE,
    "device_jobs.list_executions": Right.VIEW,
    "device_jobs.get_execution": Right.VIEW,
    "device_jobs.cancel": Right.OPERATE,
    "device_jobs.retry": Right.OPERATE,
    "device_jobs.list_waves": Right.VIEW,
    "device_jobs.pause": Right.OPERATE,
    "device_jobs.resume": Right.OPERATE,
    "device_jobs.roll_back": Right.OPERATE,
    "device_jobs.delete_job": Right.EDIT,
    "device_jobs.list_devices": Right.VIEW,
    "device_jobs.get_device": Right.VIEW,
    "device_jobs.create_device": Right.EDIT,
    "device_jobs.update_device": Right.EDIT,
    "device_jobs.delete_device": Right.EDIT,
    "device_jobs.set_active": Right.EDIT,
    "device_jobs.put_tags": Right.EDIT,
    "device_jobs.rotate_key": Right.EDIT,
    "device_jobs.revoke_key": Right.EDIT,
    "device_jobs.settle": Right.EDIT,
    "device_jobs.query_devices": Right.VIEW,
    "device_jobs.list_jobs": Right.VIEW,
    "device_jobs.list_groups": Right.VIEW,
    "device_jobs.put_group": Right.EDIT,
    "device_jobs.delete_group": Right.EDIT,
    "device_jobs.next_job": Right.DEVICE,
    "device_jobs.report": Right.DEVICE,
    "device_jobs.get_handler": Right.DEVICE,
    "device_jobs.list_codes": Right.VIEW,
    "device_jobs.create_code": Right.EDIT,
    "device_jobs.revoke_code": Right.EDIT,
    # Whoever joins has nothing yet but a code.
    "agent.enroll": Right.PUBLIC,
    "agent.get_program": Right.PUBLIC,
    "agent.poll": Right.DEVICE,
    "agent.report": Right.DEVICE,
    "agent.get_handler": Right.DEVICE,
    "agent.get_carried": Right.DEVICE,
    "agent.tell_moments": Right.DEVICE,
    "device_jobs.list_schedules": Right.VIEW,
    "device_jobs.get_schedule": Right.VIEW,
    "device_jobs.create_schedule": Right.EDIT,
    "device_jobs.update_schedule": Right.EDIT,
    "device_jobs.delete_schedule": Right.EDIT,
    "device_jobs.pause_schedule": Right.OPERATE,
    "device_jobs.resume_schedule": Right.OPERATE,
    "device_jobs.list_schedule_executions": Right.VIEW,
    "device_jobs.list_schedule_devices": Right.VIEW,
    "device_jobs.list_schedule_moments": Right.VIEW,
    "device_jobs.schedule_status": Right.VIEW,
}
