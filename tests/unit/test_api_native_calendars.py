"""Calendars in the native family."""

from __future__ import annotations

from tests.api_fixtures import Program

ANY = {"If-Match": "*"}


def test_a_calendar_is_made_changed_and_deleted_and_its_moments_are_told(program: Program) -> None:
    body = {"name": "off", "days": ["2030-05-02 Move"], "weekdays": ["sat"], "country": "DE", "years": 1}
    made = program.want(201, "POST", "/api/v2/calendars", body)
    assert made["tasks"] == 0 and "2030-05-02 Move" in made["days"] and len(made["days"]) > 5
    number = made["id"]
    task = {"name": "report", "command": "true", "cron": "0 9 * * *", "zone": "UTC", "calendar": "off"}
    task |= {"not_before": "2030-05-01", "not_after": "2030-05-03"}

    told = program.want(201, "POST", "/api/v2/tasks", task)
    moments = program.want(200, "GET", f"/api/v2/tasks/{told['id']}/next")["items"]

    assert (told["calendar"], told["calendar_rule"], told["not_after"]) == ("off", "leave_out", "2030-05-03")
    assert [one["is_left_out"] for one in moments] == [False, True, False]
    assert moments[1]["note"] == "2030-05-02 is a day of calendar off (Move)"
    program.want(409, "DELETE", f"/api/v2/calendars/{number}", headers=ANY)
    changed = program.want(200, "PATCH", f"/api/v2/calendars/{number}", {"days": ["2030-05-01"]}, headers=ANY)
    assert (changed["version"], changed["tasks"]) == (2, 1)
    program.want(412, "PATCH", f"/api/v2/calendars/{number}", {"days": ["2030-05-01"]}, headers={"If-Match": '"1"'})
    program.want(422, "POST", "/api/v2/calendars", {"name": "x", "days": ["soon"]})
    preview = program.want(200, "POST", "/api/v2/schedules/preview", {"cron": "0 9 1 5 *", "calendar": "off"})
    assert preview["moments"][0]["local_time"].startswith("20")
    program.want(200, "PATCH", f"/api/v2/tasks/{told['id']}", {"calendar": None}, headers=ANY)
    program.want(204, "DELETE", f"/api/v2/calendars/{number}", headers=ANY)
    assert program.want(200, "GET", "/api/v2/calendars")["items"] == []
