"""Making the web application: each concern attaches itself; nothing is migrated and no connection is opened here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from flask import Flask, Response, g, request

from watchbell import resources
from watchbell.config import Config
from watchbell.domain import masking
from watchbell.domain.schedule import line_values
from watchbell.errors import ConfigError
from watchbell.version import __version__
from watchbell.web import (
    alert_list,
    api,
    assets,
    audit_list,
    auth,
    checks,
    compressing,
    current,
    db,
    errors,
    i18n,
    kept,
    markdown,
    offers,
    pausing,
    presenters,
    proxies,
    schedule_words,
    sightings,
    task_acts,
    times,
    told,
)
from watchbell.web.pages import (
    alerts,
    api_docs,
    audit,
    blackouts,
    bulk_edits,
    calendars,
    day_calendars,
    deleted_tasks,
    earlier,
    environment_sets,
    failures,
    fleet,
    fleet_devices,
    fleet_enrolment,
    fleet_execute,
    fleet_executions,
    fleet_groups,
    fleet_handlers,
    fleet_schedules,
    fleet_templates,
    heartbeats,
    language,
    log,
    metrics,
    next_runs,
    overview,
    passkeys,
    pauses,
    provider,
    queues,
    revisions,
    run_groups,
    runs,
    scheduler_control,
    search,
    second_factor,
    secrets,
    settings,
    task_metrics,
    task_templates,
    task_why,
    tasks,
    teams,
    timeline,
    tokens,
    transfer,
    users,
    views,
)
from watchbell.web.pages import auth as auth_pages
from watchbell.web.pictures import outcomes
from watchbell.web.places import places
from watchbell.web.plain_json import PlainJSON
from watchbell.web.realtime import sockets
from watchbell.web.secret_key import secret_key

PAGES = (
    *(overview, tasks, transfer, next_runs, runs, queues, heartbeats, metrics, log),
    *(search, scheduler_control, pauses, auth_pages, tokens, views, api_docs, earlier, language, audit, users),
    *(timeline, calendars, failures, task_metrics, settings, task_templates, bulk_edits, alerts, secrets),
    *(day_calendars, environment_sets, revisions, blackouts, task_why, deleted_tasks, run_groups),
    *(fleet, fleet_executions, fleet_schedules),
    *(second_factor, provider, teams, passkeys),
    *(fleet_devices, fleet_groups, fleet_enrolment),
    *(fleet_templates, fleet_handlers, fleet_execute),
)
_log = logging.getLogger("watchbell.web")
_Function = TypeVar("_Function", bound=Callable[..., Any])


class WatchbellApp(Flask):
    """Flask with our way of logging what went wrong."""

    def ensure_sync(self, func: _Function) -> _Function:
        """Return the function as it is: none of ours is a coroutine, which Flask would find out for each at each request."""
        return func

    def make_default_options_response(self) -> Response:
        """Say what the address allows that was asked for, and not what another rule would that it fits as well."""
        response = super().make_default_options_response()
        if request.url_rule is not None:
            same = [rule for rule in self.url_map.iter_rules() if rule.rule == request.url_rule.rule]
            response.allow.clear()
            response.allow.update(sorted(set().union(*(rule.methods or () for rule in same))))
        return response

    def log_exception(
        self,
        exc_info: tuple[type, BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> None:
        # What the client sent stays on one line, whatever it holds.
        _log.error("request %s: %s %r failed", errors.request_id(), request.method, request.path, exc_info=exc_info)


def create_app(config: Config | None = None, *, scheduler_begun_at: datetime | None = None) -> Flask:
    """Return the application for these settings, by default those of the environment.

    ``scheduler_begun_at`` is when the caller has begun to start a scheduler, which takes its lock only a moment later.
    Raises ConfigError if the settings are not usable. The schema is not looked at: whoever starts the server migrates first.
    """
    config = config or Config.load()
    # A relative path in the database's address counts from where the server was started, for the web as for others.
    app = WatchbellApp(
        "watchbell.web", template_folder=str(resources.templates()), static_folder=None, instance_path=str(Path.cwd())
    )
    app.config.update(SECRET_KEY=secret_key(config))
    # A row reads best in the order in which it is told.
    app.json = PlainJSON(app)
    if config.behind_proxy == "on":
        app.wsgi_app = proxies.NamedProxy(app.wsgi_app, config.proxy_from)  # type: ignore[method-assign]
    if not config.uses_login and not checks.is_loopback(config.host):
        raise ConfigError("WATCHBELL_AUTH=off works on loopback only; bind to 127.0.0.1 or switch logins on")
    with app.app_context():
        current.keep_config(config)
        if scheduler_begun_at is not None:
            current.keep_scheduler_begun_at(scheduler_begun_at)
    db.init_app(app, config)
    kept.init_app(app, config)
    sightings.init_app(app)
    auth.init_app(app, config)
    assets.init_app(app)
    compressing.init_app(app)
    offers.init_app(app)
    i18n.init_app(app)
    errors.init_app(app)
    checks.init_app(app, config)
    _give_to_templates(app)
    for page in PAGES:
        app.register_blueprint(page.blueprint)
    sockets.init_app(app, config)
    api.init_app(app)
    return app


def _give_to_templates(app: Flask) -> None:
    """Give templates what they show, draw and say."""
    app.add_template_global(places)
    app.context_processor(_page_context)
    app.jinja_env.globals.update(utc=UTC, zone_named=ZoneInfo)
    app.add_template_global(outcomes.strip, "draw_outcomes")
    app.add_template_global(times.tag, "draw_time")
    app.add_template_global(times.exact, "exact_time")
    app.add_template_global(times.everywhere, "time_everywhere")
    app.add_template_global(task_acts.row_acts, "task_row_acts")
    app.add_template_filter(presenters.duration_words)
    app.add_template_filter(presenters.size_words)
    app.add_template_filter(schedule_words.sentence_of, "schedule_sentence")
    app.add_template_filter(schedule_words.line_values_of, "line_values")
    app.add_template_filter(line_values.words, "value_words")
    app.add_template_filter(schedule_words.without_next)
    app.add_template_filter(masking.mask_all, "masked_environment")
    app.add_template_filter(audit_list.plain_value)
    app.add_template_filter(told.told)
    app.add_template_filter(told.sentence)
    app.add_template_global(schedule_words.sentence, "schedule_words")
    app.add_template_filter(markdown.render, "markdown")
    app.add_template_filter(presenters.age_words)


def _page_context() -> dict[str, Any]:
    """Return what the frame shows on every page; a bare page must not depend on the database."""
    context: dict[str, Any] = {
        "now": current.now(),
        "shown_zone": current.zone(),
        "reader_zone": current.reader_zone(),
        "server_zone": ZoneInfo(current.config().zone),
        "version": __version__,
        "request_id": errors.request_id(),
    }
    if not g.get("is_bare"):
        context["current_user"] = current.user()
        context["has_provider"] = bool(current.config().oidc_issuer)
        context["has_sockets"] = current.config().streams > 0
        if current.user().role is not None:
            context["scheduler"] = presenters.scheduler_view(current.scheduler())
            context["pause_of_everything"] = pausing.of_everything()
            context["health"] = current.health()
            context["open_alerts"] = alert_list.count_open()
    return context
