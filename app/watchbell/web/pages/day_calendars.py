"""Named calendars of days, which schedules leave out or keep to: their list, the year of each, and changing them."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, InputError
from watchbell.services import calendar_sources, calendars, foresight
from watchbell.services.calendars import CalendarView
from watchbell.web import current, foreseeing, query, twins
from watchbell.web.calendar_year import days_of_year
from watchbell.web.db import database
from watchbell.web.forms.calendar_form import CalendarForm, shown_data
from watchbell.web.i18n import _, ngettext
from watchbell.web.pictures import calendars as drawn
from watchbell.web.presenters import local_text
from watchbell.web.presenters_simulation import Effect, effect_of
from watchbell.web.told import sentence

blueprint = Blueprint("day_calendars", __name__)

#: The button that says what would change, and changes nothing.
CHECK = "check"
_COLUMNS = ("id", "name", "description", "weekdays", "days", "tasks", "updated_at", "updated_by")
_FIRST_YEAR, _LAST_YEAR = 1970, 2199


@blueprint.get("/calendars")
def index() -> str:
    found = calendars.list_all(database())
    today = current.now().astimezone(current.zone()).date()
    following = {view.row.id: _next_days(view, today) for view in found}
    return render_template("day_calendars/index.html", calendars=found, following=following)


@blueprint.get("/calendars.json")
def index_json() -> Response:
    return jsonify(_rows(as_lists=True))


@blueprint.get("/calendars.csv")
def index_csv() -> Response:
    return twins.csv_response("calendars", _COLUMNS, _rows(as_lists=False))


@blueprint.get("/calendars/<int:calendar_id>")
def show(calendar_id: int) -> str:
    """Show a year of a calendar, and who names it."""
    view = calendars.get(database(), calendar_id)
    today = current.now().astimezone(current.zone()).date()
    year = query.whole(request.args, "year", today.year, _FIRST_YEAR, _LAST_YEAR) or today.year
    shown = {
        "year": year,
        "today": today,
        "months": [(date(year, month, 1), drawn.month_weeks(date(year, month, 1))) for month in range(1, 13)],
        "days": days_of_year(view.calendar, year),
        "users": calendars.list_users(database(), view.row.name),
        "before": year - 1 if year > _FIRST_YEAR else None,
        "after": year + 1 if year < _LAST_YEAR else None,
    }
    return render_template("day_calendars/show.html", view=view, **shown)


@blueprint.get("/calendars/new")
def new() -> str:
    return _form(CalendarForm(data={"weekdays": []}), None)


@blueprint.post("/calendars/new")
def create() -> AnyResponse | tuple[str, int]:
    return _save(None)


@blueprint.get("/calendars/<int:calendar_id>/edit")
def edit(calendar_id: int) -> str:
    view = calendars.get(database(), calendar_id)
    return _form(CalendarForm(data=shown_data(view)), view)


@blueprint.post("/calendars/<int:calendar_id>/edit")
def update(calendar_id: int) -> AnyResponse | tuple[str, int]:
    return _save(calendars.get(database(), calendar_id))


@blueprint.post("/calendars/<int:calendar_id>/remove")
def remove(calendar_id: int) -> AnyResponse:
    try:
        gone = calendars.remove(database(), calendar_id, now=current.now(), actor=current.actor())
    except Conflict as error:
        flash(sentence(error.message), "danger")
        return redirect(url_for("day_calendars.show", calendar_id=calendar_id), 303)
    flash(_("The calendar %(name)s is removed.", name=gone.name), "success")
    return redirect(url_for("day_calendars.index"), 303)


def _next_days(view: CalendarView, today: date) -> list[tuple[date, str]]:
    """Return the next days that have a line of their own; weekdays come again each week and say little."""
    found = [
        (day, label)
        for year in (today.year, today.year + 1)
        for day, label in days_of_year(view.calendar, year, weekdays=False)
        if day >= today
    ]
    return found[:2]


def _save(view: CalendarView | None) -> AnyResponse | tuple[str, int]:
    form = CalendarForm()
    try:
        if CHECK in request.form:
            return _form(form, view, effect=_effect(form, view)), 200
        made = _store(form, view)
    except InputError as error:
        form.show_problems(error.problems)
        return _form(form, view), 422
    except Conflict as error:
        form.name.errors = [*form.name.errors, sentence(error.message)]
        return _form(form, view), 409
    if view is not None and made.tasks:
        words = ngettext("%(num)s task follows it.", "%(num)s tasks follow it.", made.tasks)
        flash(_("The calendar %(name)s is saved.", name=made.row.name) + " " + words, "success")
    else:
        flash(_("The calendar %(name)s is saved.", name=made.row.name), "success")
    return redirect(url_for("day_calendars.show", calendar_id=made.row.id), 303)


def _store(form: CalendarForm, view: CalendarView | None) -> CalendarView:
    now, actor, fields = current.now(), current.actor(), form.fields()
    if view is None:
        return calendars.create(database(), fields, now=now, actor=actor)
    version = query.whole(request.form, "version", None, 1, query.HIGHEST_ID)
    return calendars.update(database(), view.row.id, fields, now=now, actor=actor, expected_version=version)


def _effect(form: CalendarForm, view: CalendarView | None) -> Effect:
    """Return what saving the form would do to the runs of the coming days; raises InputError.

    Days from elsewhere then stand in its lines: a browser sends no file a second time.
    """
    row, number = (view.row, view.row.id) if view is not None else (None, None)
    columns = calendars.check(form.fields(), year=current.now().year, before=row)
    form.take_days(columns["days"])
    found = foresight.of_calendar(database(), number, form.fields(), now=current.now(), moments=foreseeing.moments())
    return effect_of(found)


def _form(form: CalendarForm, view: CalendarView | None, effect: Effect | None = None) -> str:
    countries = calendar_sources.list_countries()
    return render_template("day_calendars/form.html", form=form, view=view, effect=effect, countries=countries)


def _rows(*, as_lists: bool) -> list[dict[str, object]]:
    rows = []
    for view in calendars.list_all(database()):
        told = calendars.told(view)
        joined = {} if as_lists else {name: "; ".join(told[name]) for name in ("weekdays", "days")}
        rows.append({**told, **joined, "updated_at": local_text(told["updated_at"], current.zone())})
    return rows
