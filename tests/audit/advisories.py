"""Known holes of what Watchbell is built on, by the first version without them: a list for where no registry can be asked.

It is not complete and never will be; ``make audit`` asks the registry as well. What is below one of these versions is refused
by a test, so that an old cache of packages is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
#: Package -> the first version that has none of the holes, and what they are called.
FLOORS: Mapping[str, tuple[str, str]] = {
    "authlib": ("1.6.5", "CVE-2025-59420, CVE-2025-61920, CVE-2025-62706"),
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "cryptography": ("44.0.1", "CVE-2024-12797"),
    "flask": ("3.1.1", "CVE-2025-47278"),
    "gunicorn": ("23.0.0", "CVE-2024-1135, CVE-2024-6827"),
    "h11": ("0.16.0", "CVE-2025-43859"),
    "idna": ("3.7", "CVE-2024-3651"),
    "jinja2": ("3.1.6", "CVE-2024-56326, CVE-2025-27516"),
    "mako": ("1.2.2", "CVE-2022-40023"),
    "orjson": ("3.9.15", "CVE-2024-27454"),
    "pygments": ("2.15.0", "CVE-2022-40896"),
    "pyyaml": ("5.4", "CVE-2020-14343"),
    "requests": ("2.32.4", "CVE-2024-47081"),
    "urllib3": ("2.5.0", "CVE-2025-50181, CVE-2025-50182"),
    "werkzeug": ("3.0.6", "CVE-2024-34069, CVE-2024-49766, CVE-2024-49767"),
}
#: The same of the browser libraries.
ASSET_FLOORS: Mapping[str, tuple[str, str]] = {
    "bootstrap": ("5.0.0", "CVE-2024-6484, CVE-2024-6531"),
    "chart.js": ("2.9.4", "CVE-2020-7746"),
    "datatables.net": ("1.11.3", "CVE-2021-23445"),
    "jquery": ("3.5.0", "CVE-2020-11022, CVE-2020-11023"),
    "swagger-ui-dist": ("4.1.3", "CVE-2018-25031"),
}


def holes_installed() -> list[str]:
    """Return a line for each installed package that is older than it should be."""
    installed = {found.metadata["Name"].lower(): found.version for found in metadata.distributions()}
    return below(installed, FLOORS)


def holes_in_assets() -> list[str]:
    """Return a line for each browser library that is older than it should be."""
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    versions = {name.removeprefix("node_modules/"): entry["version"] for name, entry in packages.items() if name}
    return below(versions, ASSET_FLOORS)


def below(versions: Mapping[str, str], floors: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return a line for each version below its floor."""
    return [
        f"{name} {versions[name]}: {called}, mended in {floor}"
        for name, (floor, called) in floors.items()
        if name in versions and Version(versions[name]) < Version(floor)
    ]
