"""The whole API, called with what its own document allows and forbids: no answer may differ from what the document says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.fault.scale import LONG
from tests.process.page import Page
from tests.process.programs import watchbell

#: These stop what the others need, or answer only after a while on purpose.
LEFT_OUT = (
    *("task_dashboard.start", "task_dashboard.stop", "cron_manager.start", "cron_manager.stop"),
    *("native.start_scheduler", "native.stop_scheduler", "native.restart_scheduler"),
    # No scheduler works there, which this one says in its status.
    "cron_manager.ready",
)
#: A server cannot say in a schema that a directory has to be there, or that a name is free.
CHECKS_LEFT_OUT = "positive_data_acceptance,use_after_free,ensure_resource_availability,ignored_auth"
#: Nobody waits here for what does not come; and 428 is the answer to a missing If-Match. (Wrong tokens, of which the server
#: takes thirty a minute from one address, are tried at every route in tests/unit/test_web_rights.py.)
SETTINGS = """
[parameters]
"query.wait" = 0
"query.timeout" = 0

[checks.missing_required_header]
expected-statuses = [400, 401, 403, 406, 415, 422, 428]
"""


def test_no_answer_differs_from_the_document(lab, tmp_path) -> None:
    page = Page(lab, auth="on")
    made = watchbell(lab.home, "token", "create", "explorer", "--scope", "admin", "--user", "admin")
    assert made.returncode == 0, made.stderr
    try:
        done = explore(page.url, made.stdout.strip(), tmp_path)
    finally:
        page.stop()

    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]


# What is new is looked for in the long lane; a run of the short one can be made again.
def explore(url: str, token: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("schemathesis")
    (folder / "schemathesis.toml").write_text(SETTINGS)
    left_out = [option for name in LEFT_OUT for option in ("--exclude-operation-id", name)]
    return subprocess.run(
        [
            *(str(program), "run", f"{url}/openapi.json", "-H", f"Authorization: Bearer {token}"),
            # Two made-up requests each would find little that the systematic ones do not; forty are the long lane's.
            *("--phases", "examples,coverage,fuzzing" if LONG else "examples,coverage"),
            *("--max-examples", "40", "--continue-on-failure"),
            *("--checks", "all", "--exclude-checks", CHECKS_LEFT_OUT),
            *("--suppress-health-check", "all", "--request-timeout", "30", "--warnings", "off", "--no-color"),
            *left_out,
            *(("--generation-database", "none") if LONG else ("--generation-deterministic",)),
        ],
        cwd=folder,
        env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)},
        capture_output=True,
        text=True,
        timeout=5400 if LONG else 600,
        check=False,
    )
