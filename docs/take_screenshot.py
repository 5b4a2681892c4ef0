"""Take the pictures of the README: start Watchbell on a scratch directory, let tasks run, look with a browser.

    python docs/take_screenshot.py [--all] [DIRECTORY]

Writes overview.png, run.png and fleet.png into DIRECTORY, by default docs/img; with --all every page as a whole, light and dark, on a
desktop and on a phone, by default into build/screens, to be looked at. Needs Playwright and a Chromium; `make screenshot` sets
up the first and uses the machine's own browser.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
WIDTH = 1280
WAIT_SECONDS = 180
#: Enough of them that lists, strips and counters show something.
RUNS = 45
#: What the pictures show: name, command, when and how. {page} is the address of the server itself.
TASKS = (
    ("disk-space", f"{EXAMPLES}/disk_space.py --min-free 1% /", "--every 8s --tag checks"),
    ("check-page", f"{EXAMPLES}/check_page.py --contains healthy {{page}}/health", "--every 6s --tag checks"),
    ("check-shop", f"{EXAMPLES}/check_page.py --status 301 {{page}}/health", "--every 20s --tag checks"),
    ("status-page", f"{EXAMPLES}/pipeline/run.sh ~/status", "--every 9s --tag reports"),
    ("summarise-log", f"{EXAMPLES}/summarise_log.py {{home}}/scheduler.log ~/log.csv", "--every 12s --tag reports"),
    ("index-photos", "seq -f 'indexed photo-%04g.jpg' 1 400; sleep 17; echo done", "--every 20s"),
    ("backup-documents", f"{EXAMPLES}/backup.sh -k 7 ~/Documents ~/backups", "--cron '30 2 * * *' --tag backup"),
    ("weekly-report", "make -C ~/report", "--word monday --at-time 08:00 --tag reports"),
)
#: The pages of --all; {task} and {run} are numbers of one of each.
PAGES = (
    *(
        "/",
        "/tasks",
        "/tasks/{task}",
        "/tasks/{task}/edit",
        "/tasks/new",
        "/tasks/import",
        "/tasks/templates",
        "/tasks/edit?id={task}",
    ),
    *("/next-runs", "/next-runs?each=all", "/next-runs/calendar", "/next-runs/load", "/timeline", "/timeline?by=host"),
    *(
        "/runs",
        "/runs?state=failed",
        "/runs/calendar",
        "/runs/{run}",
        "/runs/{run}?tab=resources",
        "/runs/{run}?tab=history",
    ),
    *(
        "/runs/{run}?tab=definition",
        "/runs/{run}?tab=why",
        "/runs/{run}/compare",
        "/failures",
        "/metrics",
        "/queues",
        "/secrets",
        "/heartbeats",
    ),
    *(
        "/log",
        "/settings",
        "/search?q=backup",
        "/audit",
        "/users",
        "/account/tokens",
        "/account/sessions",
        "/views",
        "/nowhere",
    ),
    *("/fleet", "/fleet/executions", "/fleet/executions/{order}", "/fleet/executions/{order}?by=site"),
    *("/fleet/executions/{order}/devices/{device}", "/fleet/schedules", "/fleet/schedules/new", "/fleet/devices"),
)
#: What devices are told to do in the pictures, and by which rules it goes through the fleet.
UPDATE = {
    "job_name": "Update of the gateways",
    "target_type": "all",
    "job_document": {
        "version": "1.0",
        "steps": [
            {"name": name, "type": "runCommand", "input": {"command": command}}
            for name, command in (("fetch", "curl,-fsS,https://host/new.conf"), ("check", "nginx,-t"))
        ],
    },
    "rollout": {
        "canary": 5,
        "wave": 20,
        "factor": 3,
        "success_percentage": 80,
        "abort": [{"failure_type": "FAILED", "threshold_percentage": 10, "minimum": 40, "action": "PAUSE"}],
    },
}
#: The rule stops it with the last of them that fails, and not sooner, however slow the machine is.
DEVICES, UPDATED, BROKEN = 120, 62, (17, 33, 44, 52, 59, 60, 61)
LOOKS = tuple((scheme, width) for scheme in ("light", "dark") for width in (WIDTH, 360))
T = TypeVar("T")


def until(look: Callable[[], T | None], what: str) -> T:
    """Return the first true answer, or stop."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if answer := look():
            return answer
        time.sleep(0.2)
    raise SystemExit(f"take_screenshot.py: waited {WAIT_SECONDS} s in vain for {what}")


class Installation:
    """A Watchbell of its own on this machine, which calls itself by other names than the machine does."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "watchbell"
        self.output = folder / "up.log"
        (folder / "Documents").mkdir()
        names = {"WATCHBELL_USER": "ann", "WATCHBELL_HOSTNAME": "watchtower", "TZ": "Europe/Berlin"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WATCHBELL_", "TASK_"))}
        paths = f"{ROOT / 'app'}{os.pathsep}{kept.get('PYTHONPATH', '')}".rstrip(os.pathsep)
        self.environment = {
            **kept,
            **names,
            "WATCHBELL_HOME": str(self.home),
            # What still runs at the end then lies in the scratch directory, too, and is removed with it.
            "WATCHBELL_RUNTIME_LIMIT_MIB": "0",
            "HOME": str(folder),
            "PYTHONPATH": paths,
        }

    def call(self, *words: str) -> str:
        """Run a command line and return what it prints."""
        command = [sys.executable, "-m", "watchbell", *words]
        return subprocess.run(command, env=self.environment, cwd=ROOT, check=True, text=True, stdout=-1).stdout

    def runs(self, *words: str) -> list[dict[str, Any]]:
        """Return the newest runs."""
        found: list[dict[str, Any]] = json.loads(self.call("runs", "list", "-n", "200", "--json", *words))
        return found

    @contextlib.contextmanager
    def up(self) -> Iterator[str]:
        """Have page and scheduler, and give the link that logs in."""
        command = [sys.executable, "-u", "-m", "watchbell", "up", "--port", "0"]
        with (
            self.output.open("w") as output,
            subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=output, stderr=output) as server,
        ):
            try:
                yield until(lambda: re.search(r"https?://\S+/login/link/\S+", self.output.read_text()), "the link")[0]
            finally:
                server.terminate()
                server.wait(30)


class Fleet:
    """Devices that take jobs from the server and tell how they went, as their agents would."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self.token = token
        self.keys: dict[str, str] = {}

    def ask(self, method: str, path: str, given: Any = None, key: str = "") -> Any:
        """Send a request and return what is answered."""
        body = None if given is None else json.dumps(given).encode()
        headers = {"Authorization": f"Bearer {key or self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/api/v1{path}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def join(self) -> None:
        """Make the devices."""
        for number in range(DEVICES):
            made = self.ask("POST", "/devices", {"deviceName": f"gateway-{number:03}"})
            uuid = made["device"]["uuid"]
            self.keys[uuid] = made["api_key"]
            self.ask("PUT", f"/devices/{uuid}/tags", {"tags": {"site": ("north", "south", "harbour")[number % 3]}})
            self.ask("PATCH", f"/devices/{uuid}/active", {"is_active": True})

    def update(self) -> dict[str, str]:
        """Let some of them do the update and fail here and there; return the order and a device that has failed."""
        order = self.ask("POST", "/jobs/execute", UPDATE)["job"]["job_id"]
        bad = ""
        for number, (uuid, key) in enumerate(self.keys.items()):
            if number >= UPDATED:
                break
            until(
                lambda uuid=uuid, key=key: "job_id" in self.ask("GET", f"/devices/{uuid}/jobs/next", key=key), "a wave"
            )
            report = {"status": "SUCCEEDED", "exit_code": 0, "stdout": "nginx: syntax is ok", "executed_steps": 2}
            if number in BROKEN:
                bad = uuid
                report = {
                    "status": "FAILED",
                    "exit_code": 1,
                    "stderr": "nginx: unknown directive",
                    "failed_step": "check",
                }
            self.ask("PATCH", f"/devices/{uuid}/jobs/{order}/status", report, key=key)
        until(lambda: self.ask("GET", f"/jobs/executions/{order}/waves")["is_paused"], "the rule that stops the update")
        return {"order": order, "device": bad}


def find_browser() -> str | None:
    """Return the machine's Chromium; without one Playwright's own is used, if it is there."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def visit(page: Page, address: str) -> None:
    """Open a page, or stop if it is not what it should be."""
    answer = page.goto(address)
    if answer is None or not answer.ok:
        raise SystemExit(f"take_screenshot.py: {address} answers {answer and answer.status}")


def log_in(page: Page, link: str) -> None:
    """Open the link and leave the choice of a password for later."""
    visit(page, link)
    page.get_by_role("link", name="Later").click()
    page.wait_for_url("**/")


def take(page: Page, path: Path, height: int) -> None:
    """Save what the page shows in a window of this height."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.screenshot(path=path, animations="disabled")
    print(f"wrote {path} ({path.stat().st_size} bytes)")


def take_every_page(browser: Browser, state: Any, address: str, numbers: dict[str, Any], target: Path) -> None:
    """Save each page as a whole, in each look."""
    for scheme, width in LOOKS:
        context = browser.new_context(
            storage_state=state,
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            timezone_id="Europe/Berlin",
        )
        page = context.new_page()
        for path in PAGES:
            page.goto(address + path.format(**numbers))
            page.evaluate("document.fonts.ready")
            name = re.sub(r"[^a-z0-9]+", "-", path).strip("-") or "overview"
            page.screenshot(path=target / f"{name}-{scheme}-{width}.png", full_page=True, animations="disabled")
        context.close()
    print(f"wrote {len(PAGES) * len(LOOKS)} pictures into {target}")


def take_for_readme(page: Page, installation: Installation, address: str, target: Path) -> None:
    """Save the pictures of the README."""
    until(lambda: installation.runs("--task", "index-photos", "--state", "running"), "a run that goes on")
    visit(page, address)
    take(page, target / "overview.png", 1180)
    shown = installation.runs("--task", "status-page", "--state", "succeeded")[0]
    visit(page, f"{address}/runs/{shown['id']}")
    take(page, target / "run.png", 470)
    visit(page, f"{address}/fleet")
    take(page, target / "fleet.png", 800)


def main() -> int:
    """Take the pictures."""
    words = [word for word in sys.argv[1:] if word != "--all"]
    is_all = len(words) < len(sys.argv) - 1
    target = Path(words[0] if words else ROOT / ("build/screens" if is_all else "docs/img"))
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="watchbell-") as folder, contextlib.ExitStack() as stack:
        installation = Installation(Path(folder))
        stack.push(lambda kind, *_: kind and print(installation.output.read_text(), file=sys.stderr))
        link = stack.enter_context(installation.up())
        address = link.partition("/login/")[0]
        for name, command, options in TASKS:
            text = command.format(page=address, home=installation.home)
            installation.call("task", "add", name, "--command", text, *shlex.split(options))
        until(lambda: len(installation.runs()) >= RUNS, f"{RUNS} runs")
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        stack.callback(browser.close)
        context = browser.new_context(
            viewport={"width": WIDTH, "height": 800}, color_scheme="light", timezone_id="Europe/Berlin", locale="en-GB"
        )
        page = context.new_page()
        log_in(page, link)
        fleet = Fleet(address, installation.call("token", "create", "pictures", "--scope", "edit").strip())
        fleet.join()
        made = fleet.update()
        if not is_all:
            take_for_readme(page, installation, address, target)
            return 0
        shown = installation.runs("--task", "check-shop")[0]
        numbers = {"task": shown["task_id"], "run": shown["id"], **made}
        take_every_page(browser, context.storage_state(), address, numbers, target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
