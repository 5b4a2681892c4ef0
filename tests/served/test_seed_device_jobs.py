"""The document of the system for device jobs against a real server: its requests, its adapter's and its own example.

It speaks of PowerShell and TypeScript, so that its requests are read out of it and sent as they stand there. Where it does not
lie beside the checkout, the same requests are made from here.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.process.page import Page
from tests.served.test_seed_documents import SEEDS
from watchbell import clock
from watchbell.services import devices

DOCUMENT = SEEDS / "004-device-jobs.md"
#: Of the device in the document's example.
UUID = "8479359e-dbeb-4858-813c-e8a9008dde04"
LIKE_IT = f"""
```powershell
Invoke-RestMethod -Uri "http://localhost:4002/api/v1/jobs/templates" -Method GET
Invoke-RestMethod -Uri "http://localhost:4002/api/v1/devices" -Method GET
$body = @{{
    job_name = "My Test Job"
    template_id = 3
    target_type = "device"
    target_devices = @("{UUID}")
    timeout_seconds = 300
}} | ConvertTo-Json
Invoke-RestMethod -Uri "http://localhost:4002/api/v1/jobs/execute" `
    -Method POST -Body $body -ContentType "application/json"
```
```json
{{"version": "1.0", "steps": [
  {{"action": {{"type": "runCommand", "input": {{"command": "docker restart {{{{SERVICE_NAME}}}}"}}}}}},
  {{"action": {{"type": "runCommand", "input": {{"command": "docker ps | grep {{{{SERVICE_NAME}}}}"}}}}}}
], "includeStdOut": true}}
```
"""


def send(page: Page, method: str, path: str, body: Any = None) -> Any:
    asked = urllib.request.Request(
        page.url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.loads(answer.read())


def value(text: str) -> Any:
    """Return what a value of PowerShell says."""
    if text.startswith("@("):
        return re.findall(r'"([^"]*)"', text)
    return text.strip('"') if text.startswith('"') else int(text.split("#")[0])


def requests_of(text: str) -> list[tuple[str, str, Any]]:
    """Return the requests of the block that tests the API."""
    block = next(one for one in re.findall(r"```powershell\n(.*?)```", text, re.DOTALL) if "Invoke-RestMethod" in one)
    body = re.search(r"@\{\n(.*?)\n\}", block, re.DOTALL)
    assert body is not None
    pairs = (line.split("=", 1) for line in body[1].splitlines() if "=" in line)
    fields = {name.strip(): value(said.strip()) for name, said in pairs}
    found = re.findall(r'-Uri "http://localhost:4002([^"]*)"[\s`]*-Method (\w+)( -Body)?', block)
    return [(method, path, fields if has_body else None) for path, method, has_body in found]


@pytest.fixture
def page(lab):
    made = Page(lab)
    yield made
    made.stop()


@pytest.fixture
def text() -> str:
    return DOCUMENT.read_text(encoding="utf-8", errors="replace") if DOCUMENT.is_file() else LIKE_IT


@pytest.fixture
def device(lab) -> str:
    devices.add(lab.db, {"name": "pi"}, now=clock.now(), actor="tester", uuid=UUID)
    devices.set_active(lab.db, UUID, True, now=clock.now(), actor="tester")
    return UUID


def test_the_requests_of_the_document_and_those_of_its_adapter_work_as_they_stand(page, text, device) -> None:
    asked = requests_of(text)
    assert [path for _method, path, _body in asked] == [
        "/api/v1/jobs/templates",
        "/api/v1/devices",
        "/api/v1/jobs/execute",
    ]
    templates, listed, made = (send(page, *one) for one in asked)
    assert {one["name"] for one in templates["templates"]} == {"health-check", "restart-service", "update-config"}
    assert [(one["uuid"], one["device_name"], one["is_online"]) for one in listed["devices"]] == [(device, "pi", False)]
    job_id = made["job"]["job_id"]

    # What its adapter does, with the fields that it sends.
    job = send(page, "GET", f"/api/v1/devices/{device}/jobs/next")
    assert (job["job_id"], job["timeout_seconds"], bool(job["job_document"]["steps"])) == (job_id, 300, True)
    said = (
        ("IN_PROGRESS", {"message": "Job execution started"}),
        (
            "SUCCEEDED",
            {"message": "Job completed successfully", "exit_code": 0, "stdout": "fine", "stderr": ""},
        ),
    )
    for status, details in said:
        told = {"message": details["message"], "timestamp": datetime.now(UTC).isoformat()}
        body = {"status": status, **details, "status_details": told}
        row = send(page, "PATCH", f"/api/v1/devices/{device}/jobs/{job_id}/status", body)
        assert (row["status"], row["status_details"]) == (status, told)

    assert "job_id" not in send(page, "GET", f"/api/v1/devices/{device}/jobs/next")
    assert send(page, "GET", f"/api/v1/jobs/executions/{job_id}")["job"]["status"] == "SUCCEEDED"
    assert send(page, "GET", f"/api/v1/devices/{device}/jobs")["jobs"][0]["stdout"] == "fine"
    assert len(send(page, "GET", "/api/v1/jobs/handlers")["handlers"]) == 2
    again = send(page, *asked[2])["job"]["job_id"]
    assert send(page, "POST", f"/api/v1/jobs/executions/{again}/cancel")["job"]["status"] == "CANCELED"


def test_the_example_of_the_document_is_accepted_and_filled_in_without_a_way_out(page, text, device) -> None:
    example = next(json.loads(one) for one in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if '"steps"' in one)
    order = {"job_name": "x", "job_document": example, "target_type": "device", "target_devices": [device]}

    with pytest.raises(urllib.error.HTTPError) as told:
        send(page, "POST", "/api/v1/jobs/execute", order)
    assert told.value.code == 400
    assert "variables.SERVICE_NAME" in json.loads(told.value.read())["error"]
    send(page, "POST", "/api/v1/jobs/execute", {**order, "variables": {"SERVICE_NAME": "web; reboot"}})

    document = send(page, "GET", f"/api/v1/devices/{device}/jobs/next")["job_document"]
    commands = [step["action"]["input"]["command"] for step in document["steps"]]
    assert commands == [
        'sh,-c,docker restart "${1}",job,web; reboot',
        'sh,-c,docker ps | grep "${1}",job,web; reboot',
    ]
