"""People come with a document of the system that they had: what stands in it as a command or a client works here unchanged.

The documents themselves lie beside the checkout on some machines only; there every block is taken out of them and run. What
they ask for stands in the tests of the families as well, which run everywhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.page import Page
from tests.process.programs import watchbell

ROOT = Path(__file__).resolve().parents[2]
#: Where they lie unless it is said.
SEEDS = Path(os.environ.get("WATCHBELL_TEST_SEEDS", ROOT.parent / "shared" / "seeds"))
#: Each document with the port that its examples speak to.
DOCUMENTS = {"000-gateway.md": 6060, "002-cron-manager.md": 8000, "003-script-metrics.md": 8000}
#: One of them has all its requests in a single example.
FEWEST = {"003-script-metrics.md": 1}
#: What makes a failed request a failed command, and lets a program in.
_CURL = (
    'curl() { command curl --silent --show-error --fail-with-body ${TOKEN:+-H "Authorization: Bearer $TOKEN"} "$@"; }\n'
)


def blocks(name: str, kind: str) -> list[str]:
    document = SEEDS / name
    if not document.is_file():
        return []
    found = re.findall(rf"^```{kind}\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE)
    return [block for block in found if ("curl " in block if kind == "bash" else "requests" in block)]


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Give a folder with the five scripts of the pipeline, which only say that they ran."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    for name in (
        *("exotel_api.py", "import_exotel_data.py", "get_recording.py"),
        *("audio_to_text.py", "descrption_generation_2.py"),
    ):
        (folder / name).write_text(f"print({name!r})\n")
    return folder


@pytest.mark.parametrize("auth", ["off", "on"])
@pytest.mark.parametrize("name", [name for name in DOCUMENTS if (SEEDS / name).is_file()] or ["none at hand"])
def test_every_example_of_a_document_works_as_it_stands(lab, scripts, tmp_path, name, auth) -> None:
    if name not in DOCUMENTS:
        # Nothing is claimed here: the families' own tests make the same requests on every machine.
        return
    names = ",".join(sorted(script.name for script in scripts.iterdir()))
    with lab.running():
        page = Page(lab, auth=auth, WATCHBELL_CRON_SCRIPTS=names, WATCHBELL_CRON_FOLDER=str(scripts))
        token = ""
        if auth == "on":
            made = watchbell(lab.home, "token", "create", "examples", "--scope", "admin", "--user", "admin")
            token = made.stdout.strip()
        try:
            results = [run(page.url, DOCUMENTS[name], token, kind, block) for kind, block in examples(name)]
        finally:
            page.stop()

    failed = [
        (result.args[-1], result.stdout[-2000:], result.stderr[-2000:]) for result in results if result.returncode
    ]
    assert not failed
    assert len(results) >= FEWEST.get(name, 4)


def examples(name: str) -> list[tuple[str, str]]:
    return [("bash", block) for block in blocks(name, "bash")] + [("python", block) for block in blocks(name, "python")]


def run(url: str, port: int, token: str, kind: str, block: str) -> subprocess.CompletedProcess[str]:
    """Run a block as it stands, but for the port of this server."""
    # One block starts the server that it is about, which is this one.
    text = block.replace(f"http://localhost:{port}", url).replace("python3 cron_api.py", ":")
    if kind == "bash":
        command = ["bash", "-euc", _CURL + text]
    else:
        if token:
            text = f"import requests\nrequests.sessions.default_headers = lambda: {{'Authorization': 'Bearer {token}'}}\n{text}"
        command = [sys.executable, "-c", text]
    return subprocess.run(
        command, env={**os.environ, "TOKEN": token}, capture_output=True, text=True, timeout=120, check=False
    )
