"""Runbooks and links: what may be written, that a page can do nothing by it, and where it is shown."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.waiting import spends_at_most
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.domain.runbooks import build_links, is_safe_address
from watchbell.domain.task_document import entry_of, read_document
from watchbell.errors import InputError
from watchbell.services import tasks
from watchbell.store.session import Database
from watchbell.web.markdown import render

TEXT = "# If it fails\n\n<script>alert(1)</script> [bad](javascript:alert(1)) [good](https://example.org/a?b=1)\n"


@pytest.mark.parametrize(
    ("address", "is_safe"),
    [
        ("https://example.org/a?b=1#c", True),
        ("http://[::1]:8080/", True),
        ("/tasks/1", True),
        ("#here", True),
        ("//evil.org", False),
        ("/\\evil.org", False),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("data:text/html,x", False),
        ("vbscript:x", False),
        ("https://good.org@evil.org/", False),
        ("https:///x", False),
        ("https://x:port/", False),
        ("https://e.org/\n", False),
        ('https://e.org/"onclick="', False),
        ("tasks/1", False),
    ],
)
def test_only_addresses_of_the_web_and_of_this_server_are_links(address: str, is_safe: bool) -> None:
    assert is_safe_address(address) is is_safe
    assert (f'href="{address}"' in render(f"[x]({address})")) is is_safe


def test_a_link_that_leads_nowhere_is_the_text_that_it_holds() -> None:
    assert "<p>see <em>a</em> b</p>" in render("see [*a*]() [b]( )")


@pytest.mark.parametrize(
    "text",
    ["<img src=x onerror=alert(1)>", "![i](https://e.org/x.png)", "<b style='x'>", "<!-- x -->", "&lt;script&gt;",
     "[x](<javascript:alert(1)>)", "<javascript:alert(1)>", "[x]: javascript:alert(1)\n[x]", "|a|\n|:-:|\n|<i>|",
     "```html\" onclick=\"x\n<b>\n```"],
)  # fmt: skip
def test_what_people_write_becomes_no_tag_of_theirs(text: str) -> None:
    page = BeautifulSoup(render(text), "html.parser")

    tags = page.find_all(True)
    assert {tag.name for tag in tags} <= {"p", "a", "pre", "code", "table", "thead", "tbody", "tr", "th", "td"}
    assert {name for tag in tags for name in tag.attrs} <= {"href", "rel"}
    assert all(str(link["href"]).startswith("https://e.org/") for link in page.select("a"))


@pytest.mark.parametrize(
    "text", ["[" * 20_000, "*a" * 10_000, "> " * 10_000, "[a](b" * 4000, "|a" * 6000 + "\n" + "|-" * 6000]
)
def test_the_worst_of_texts_is_rendered_soon(text: str) -> None:
    spends_at_most(3, lambda: render(text[:20_000]))


def test_headings_stand_below_those_of_the_page_and_leave_out_no_level() -> None:
    page = BeautifulSoup(render("### a\n# b\n###### c\n"), "html.parser")

    assert [tag.name for tag in page.find_all(True)] == ["h3", "h3", "h4"]


def test_links_are_read_from_lines_and_from_objects() -> None:
    told = build_links("Our dashboard https://example.org/d\nhttps://example.org/wiki\n")

    assert [(link.title, link.url) for link in told] == [
        ("Our dashboard", "https://example.org/d"), ("https://example.org/wiki", "https://example.org/wiki"),
    ]  # fmt: skip
    assert build_links([link.to_json() for link in told]) == told
    with pytest.raises(InputError) as error:
        build_links("good https://e.org\nbad javascript:x\nworse")
    assert [problem.message[:6] for problem in error.value.problems] == ["link 2", "link 3"]
    for wrong in ([{"url": "https://e.org", "x": "y"}], ["https://e.org"], 5, [{"url": "/a"}] * 21):
        with pytest.raises(InputError):
            build_links(wrong)


def test_a_runbook_stands_with_its_task_and_with_runs_that_failed(admin: Person, db: Database) -> None:
    task = add_task(db, runbook="old", links=[{"title": "<b>", "url": "https://example.org/d"}])
    failed, good = add_run(db, task, RunState.FAILED), add_run(db, task, RunState.SUCCEEDED)
    tasks.update(db, task.id, {"runbook": TEXT}, now=NOW, actor="ann", defaults=DEFAULTS)

    for page in (admin.see(f"/tasks/{task.id}"), admin.see(f"/runs/{failed.id}")):
        book = page.select_one(".wb-markdown")
        assert book is not None
        assert book.select_one("h3").text == "If it fails"  # type: ignore[union-attr]
        assert [link["href"] for link in book.select("a")] == ["https://example.org/a?b=1"]
        assert book.select_one("script") is None
        assert page.select_one(".wb-runbook-links a").text == "<b>"  # type: ignore[union-attr]
    assert admin.see(f"/runs/{good.id}").select_one(".wb-markdown") is None
    assert "old" in admin.see(f"/tasks/{task.id}/revisions/1").select_one(".wb-markdown").text  # type: ignore[union-attr]


def test_a_runbook_goes_through_the_form_the_api_and_files(admin: Person, program: Program, db: Database) -> None:
    task = add_task(db)
    fields = {"name": "backup", "what": "command", "command": "true", "kind": "manual", "version": "1",
              "was_enabled": "1", "enabled": "y", "runbook": TEXT, "links": "Wiki /wiki"}  # fmt: skip

    wrong = admin.post(f"/tasks/{task.id}/edit", {**fields, "links": "Wiki ftp://e.org"})
    assert (wrong.status_code, "Link 1: its address" in wrong.text) == (422, True)
    assert admin.post(f"/tasks/{task.id}/edit", fields).status_code == 303
    told = program.get(f"/api/v2/tasks/{task.id}")
    assert (told["runbook"], told["links"]) == (TEXT.strip(), [{"title": "Wiki", "url": "/wiki"}])
    definition = tasks.definition_of(tasks.get(db, task.id))
    document = read_document({"watchbell": 1, "tasks": [entry_of(definition)]}, {})
    again = document.definition(document.tasks[0], now=NOW, defaults=DEFAULTS, earlier=None)
    assert (again.runbook, again.links) == (definition.runbook, definition.links)
    changed = program.want(200, "PATCH", f"/api/v2/tasks/{task.id}", {"links": [{"url": "/x"}], "runbook": None},
                           headers={"If-Match": "*"})  # fmt: skip
    assert (changed["runbook"], changed["links"]) == ("", [{"title": "/x", "url": "/x"}])
