"""The list of next runs: its pages there and back, its filters, what is told of each task, and its twins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from bs4 import BeautifulSoup

from tests.database import NOW, add_task
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.services import coming
from watchbell.services.coming import ComingPage, Place, Span
from watchbell.services.task_lists import TaskFilter
from watchbell.store.session import Database

SCHEDULES: tuple[dict[str, Any], ...] = (
    {"every": "7m"},
    {"every": "10m"},
    {"cron": "0 */2 * * *"},
    {"cron": "30 5 * * *", "zone": "Europe/Berlin"},
    {"every": "20s"},
)


def span(each: int | None = None, hours: float = 3, **chosen: Any) -> Span:
    return Span(TaskFilter(**chosen), NOW, NOW + timedelta(hours=hours), each)


def told(page: ComingPage) -> list[Place]:
    return [one.place for one in page.moments]


def walk(db: Database, wanted: Span, limit: int) -> list[ComingPage]:
    pages = [coming.list_page(db, wanted, limit=limit)]
    while pages[-1].has_later:
        pages.append(coming.list_page(db, wanted, limit=limit, after=pages[-1].moments[-1].place))
    return pages


@pytest.mark.parametrize("each", [None, 1, 3])
@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_pages_lead_to_every_moment_once_in_their_order_and_back_again(
    db: Database, each: int | None, limit: int
) -> None:
    hours = 0.25 if limit == 1 else 12
    for number in range(10):
        add_task(db, f"task-{number}", **SCHEDULES[number % len(SCHEDULES)])
    add_task(db, "off", every="1m", enabled=False)
    add_task(db, "by hand")
    everything = told(coming.list_page(db, span(each, hours), limit=10**6))

    pages = walk(db, span(each, hours), limit)
    back, place = [pages[-1]], pages[-1].moments[0].place
    while back[0].has_earlier:
        back.insert(0, coming.list_page(db, span(each, hours), limit=limit, before=place))
        place = back[0].moments[0].place

    assert everything == sorted(set(everything))
    assert [one for page in pages for one in told(page)] == everything
    assert not pages[0].has_earlier and not pages[-1].has_later
    assert told(back[0]) == told(pages[0])
    assert {one for page in back for one in told(page)} == set(everything)
    assert {name for _moment, name in everything}.isdisjoint({"off", "by hand"})
    if each is None:
        assert len(everything) > (60 if limit == 1 else 4000)
    else:
        counts = [sum(name == f"task-{number}" for _moment, name in everything) for number in range(10)]
        assert max(counts) == each


def test_many_tasks_that_are_due_in_one_moment_are_told_by_name_over_several_pages(db: Database) -> None:
    for number in range(30):
        add_task(db, f"task-{number:02}", cron="0 4 * * *")

    pages = walk(db, span(hours=24), 7)

    assert [one.task.name for page in pages for one in page.moments] == [f"task-{number:02}" for number in range(30)]
    assert [len(page.moments) for page in pages] == [7, 7, 7, 7, 2]


def test_tasks_whose_moments_have_passed_do_not_hide_what_comes_first(db: Database) -> None:
    for number in range(20):
        add_task(db, f"late-{number}", now=NOW - timedelta(days=2), cron="0 0 * * *")
    add_task(db, "soon", every="1m")

    page = coming.list_page(db, span(hours=24), limit=5)

    assert {one.task.name for one in page.moments} == {"soon"}


def test_the_last_told_moment_of_a_task_says_whether_it_goes_on(db: Database) -> None:
    add_task(db, "often", every="10m")
    add_task(db, "seldom", every="1h")

    page = coming.list_page(db, span(3, 3), limit=100)

    assert [(one.task.name, one.goes_on) for one in page.moments].count(("often", True)) == 1
    assert not any(one.goes_on for one in page.moments if one.task.name == "seldom")


def names(admin: Person, address: str) -> list[str]:
    return [cell.text for cell in admin.see(address).select("tbody td.wb-cell--main a")]


def test_the_page_filters_by_text_tag_host_and_owner_and_keeps_them_in_every_address(
    admin: Person, db: Database
) -> None:
    now = clock.now()
    add_task(db, "backup", now=now, every="5h", tags=["nightly"], host="db1", owner="ann")
    add_task(db, "report", now=now, every="5h", tags=["daily"], host="db2", owner="bob", command="make report")

    for wanted in ("q=make", "tag=daily", "host=DB2", "user=bob", "q=report&tag=daily&host=db2&user=bob"):
        assert set(names(admin, f"/next-runs?{wanted}")) == {"report"}
        assert {row["task"] for row in admin.get(f"/next-runs.json?{wanted}").get_json()} == {"report"}
    page = admin.see("/next-runs?tag=daily&each=all&within=7d&length=25")
    links = [str(link["href"]) for link in page.select("main a[href^='/next-runs']") if "=" in str(link["href"])]
    kept = [link for link in links if "tag=daily" in link]
    # How far ahead, how many of each, and the twins: one choice of the first group is another time.
    assert len(kept) >= 8
    assert sum("within=7d" in link for link in kept) == len(kept) - 2
    none = admin.see("/next-runs?tag=nobody").text
    assert "No task matches" in none
    assert "None of these is due in the next 24 hours." in none
    assert page.select_one("#filter-tag")["value"] == "daily"  # type: ignore[index]


def test_the_page_is_turned_by_its_links_and_back(admin: Person, db: Database) -> None:
    add_task(db, "often", now=clock.now(), every="10m")
    page = admin.see("/next-runs?each=all&length=25")
    first = [row.text for row in page.select("tr[data-group]")]
    later = admin.see(str(page.select_one("a[rel=next]")["href"]))  # type: ignore[index]
    back = admin.see(str(later.select_one("a[rel=prev]")["href"]))  # type: ignore[index]

    assert len(first) == len(later.select("tr[data-group]")) == 25
    assert page.select_one("a[rel=prev]") is None
    assert [cell["datetime"] for cell in back.select("tbody time")] == [
        cell["datetime"] for cell in page.select("tbody time")
    ]
    assert min(cell["datetime"] for cell in later.select("tbody time")) > max(  # type: ignore[type-var]
        cell["datetime"] for cell in page.select("tbody time")
    )
    assert len({cell["datetime"] for cell in page.select("tbody time")}) == 25


def test_a_twin_has_what_the_page_has_and_its_head_says_where_it_goes_on(admin: Person, db: Database) -> None:
    add_task(db, "often", now=clock.now(), every="10m")
    link = admin.see("/next-runs?tag=&length=25").select_one("a[href^='/next-runs.json']")
    assert len(admin.get(str(link["href"])).get_json()) == 3  # type: ignore[index]

    seen: list[str] = []
    address = "/next-runs.json?limit=50&q=often"
    while address:
        answer = admin.get(address)
        seen += [row["due_at"] for row in answer.get_json()]
        address = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert len(set(seen)) == len(seen)
    assert len(seen) in {143, 144}
    assert seen == sorted(seen)
    assert "Link" in admin.get("/next-runs.csv?limit=5").headers
    assert admin.get("/next-runs.ics?limit=5").text.count("BEGIN:VEVENT") == 5


@pytest.mark.parametrize(
    "wrong",
    ["after=tomorrow", "after=2026-11-30~x", "each=some", "after=2026-11-30T00:00:00Z~a&before=2026-11-30T00:00:00Z~a",
     "cols=nothing", "length=9999", f"before={quote('0001-01-01T00:00:00+14:00')}~x"],
)  # fmt: skip
def test_a_wrong_address_is_refused_by_the_name_of_what_is_wrong(admin: Person, wrong: str) -> None:
    answer = admin.get(f"/next-runs?{wrong}")

    assert answer.status_code == 422
    assert wrong.partition("=")[0] in answer.text.lower()


def test_columns_and_rows_are_remembered_and_a_saved_view_is_met_first(admin: Person, db: Database) -> None:
    add_task(db, "often", now=clock.now(), every="10m", tags=["nightly"])
    admin.get("/next-runs?remember=1&col=in&col=tags&length=25&each=all")
    page = admin.see("/next-runs?each=all")
    assert [head.text for head in page.select_one("thead").select("th")] == ["Task", "In", "Tags"]  # type: ignore[union-attr]
    assert len(page.select("tr[data-group]")) == 25

    saved = {"page": "next_runs", "name": "Of the night", "query": "tag=nightly", "is_default": "1"}
    admin.post("/views", saved)
    assert admin.get("/next-runs").headers["Location"] == "/next-runs?tag=nightly"
    assert "Of the night" in admin.see("/next-runs?view=all").text


def test_the_script_of_next_runs_gets_the_rows_of_the_address_under_their_days(admin: Person, db: Database) -> None:
    add_task(db, "often", now=clock.now(), every="10m", tags=["nightly"])
    add_task(db, "seldom", now=clock.now(), every="5h")
    address = "each=all&within=7d&tag=nightly"
    page = admin.see(f"/next-runs?{address}&length=25&cols=task.in")

    sent = {"draw": 3, "start": 0, "length": 25, "cols": "task.in", "address": address}
    answer = admin.get("/next-runs/data", query_string=sent).get_json()
    rows = page.select("tr[data-group]")
    assert (answer["draw"], answer["recordsFiltered"]) == (3, 25)
    assert [row["DT_RowAttr"]["data-group"] for row in answer["data"]] == [row["data-group"] for row in rows]
    assert ["".join(map(str, row.select_one("td").contents)) for row in rows] == [row["0"] for row in answer["data"]]  # type: ignore[union-attr]
    heads = [row.text for row in page.select("tr.wb-group")]
    assert heads == list(dict.fromkeys(str(row["data-group"]) for row in rows))

    parts = BeautifulSoup(answer["parts"], "html.parser")
    assert {str(part["data-list-part"]) for part in parts.select("[data-list-part]")} == {
        "answer", "menus", "choices", "more", "pager",
    }  # fmt: skip
    later = parse_qs(urlsplit(str(parts.select_one("a[rel=next]")["href"])).query)  # type: ignore[index]
    assert later["tag"] == ["nightly"]
    sent["address"] = urlencode(later, doseq=True)
    following = admin.get("/next-runs/data", query_string=sent).get_json()
    assert following["data"][0]["1"] > answer["data"][-1]["1"]
    assert admin.get("/next-runs/data?draw=1&address=within%3D9y").status_code == 422
