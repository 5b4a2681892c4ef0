from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from bs4 import BeautifulSoup

from tests.packaging import installs
from tests.packaging.installs import Install

KINDS = ("wheel", "sdist", "editable", "bare")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    return installs.without_node(folder / "bin")


@pytest.fixture(scope="module")
def source(folder: Path) -> Path:
    return installs.copy_checkout(folder / "source")


@pytest.fixture(scope="module")
def wheel(source: Path, environment: dict[str, str]) -> Path:
    return installs.build("wheel", source, environment)


@pytest.fixture(scope="module")
def sdist(source: Path, environment: dict[str, str]) -> Path:
    return installs.build("sdist", source, environment)


@pytest.fixture(scope="module")
def wheel_from_sdist(sdist: Path, folder: Path, environment: dict[str, str]) -> Path:
    return installs.build("wheel", installs.unpack(sdist, folder / "unpacked"), environment)


@pytest.fixture(scope="module", params=KINDS)
def install(request: pytest.FixtureRequest, folder: Path, source: Path, environment: dict[str, str]) -> Install:
    kind = request.param
    if kind == "bare":
        found = {**environment, "PYTHONPATH": str(source / "app")}
        return Install(sys.executable, found, source, "wsgi:app")
    if kind == "editable":
        made = installs.make_environment(folder / kind, environment, "--editable", str(source))
        return Install(made.python, environment, source, "wsgi:app")
    wheel = request.getfixturevalue("wheel" if kind == "wheel" else "wheel_from_sdist")
    return installs.make_environment(folder / kind, environment, str(wheel))


@pytest.fixture(scope="module")
def address(install: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with installs.serving(install, tmp_path_factory.mktemp("home")) as address:
        yield address


def loaded_by(page: str, markup: bytes) -> set[str]:
    """Return the addresses that a browser fetches to show the page."""
    tags = BeautifulSoup(markup, "html.parser").find_all(["link", "script", "img", "use"])
    named = {str(tag.get("src") or tag.get("href") or "") for tag in tags}
    return {urljoin(page, name) for name in named if name and not name.startswith(("#", "data:"))}


def test_the_login_page_and_all_it_loads_are_served(address: str) -> None:
    status, kind, markup = installs.get(f"{address}/login")
    assets = loaded_by(f"{address}/login", markup)

    assert (status, kind) == (200, "text/html")
    assert any(re.search(r"/static/.+/vendor/bootstrap/css/.+\.css$", asset) for asset in assets)
    assert {installs.get(asset)[0] for asset in assets} == {200}


def test_what_the_style_sheets_load_is_served(address: str) -> None:
    _, _, markup = installs.get(f"{address}/login")
    sheets = [asset for asset in loaded_by(f"{address}/login", markup) if asset.partition("?")[0].endswith(".css")]
    named = {
        urljoin(sheet, name)
        for sheet in sheets
        for name in re.findall(r"""url\(["']?([^"')]+)""", installs.get(sheet)[2].decode())
        if not name.startswith(("data:", "#"))
    }

    assert sheets
    assert {installs.get(name)[0] for name in named} <= {200}


def test_templates_styles_and_migrations_come_from_that_install(install: Install) -> None:
    ask = "import json; from watchbell import resources as r; print(json.dumps([str(p) for p in PATHS] + [r.have_assets()]))"
    done = install.run("-c", ask.replace("PATHS", "(r.templates(), r.static(), r.migrations())"))

    *folders, have_assets = json.loads(done.stdout)
    assert [Path(found).name for found in folders] == ["templates", "static", "migrations"]
    assert all(Path(found).is_relative_to(install.directory) for found in folders), folders
    assert have_assets


def test_the_program_tells_its_version(install: Install) -> None:
    done = install.run("-m", "watchbell", "version")

    assert done.returncode == 0, done.stderr
    assert re.search(r"\b\d+\.\d+\.\d+\b", done.stdout)


def test_an_sdist_builds_the_same_wheel_as_the_tree(wheel: Path, wheel_from_sdist: Path) -> None:
    with zipfile.ZipFile(wheel) as left, zipfile.ZipFile(wheel_from_sdist) as right:
        assert sorted(left.namelist()) == sorted(right.namelist())


def test_a_wheel_carries_every_template_style_sheet_and_migration(wheel: Path, source: Path) -> None:
    wanted = {
        f"watchbell/_resources/{path.relative_to(source).as_posix()}"
        for name in ("templates", "static", "migrations")
        for path in (source / name).rglob("*")
        # What Python keeps beside a migration that another test has run from this tree is no part of it.
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert len(wanted) > 50
    with zipfile.ZipFile(wheel) as opened:
        assert wanted <= set(opened.namelist())


def test_a_wheel_installs_the_watchbell_command(folder: Path, wheel: Path, environment: dict[str, str]) -> None:
    made = installs.make_environment(folder / "command", environment, str(wheel))

    assert (Path(made.python).parent / "watchbell").is_file()


def test_a_bare_checkout_without_browser_libraries_says_what_to_run(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    checkout = installs.copy_checkout(tmp_path / "checkout")
    (checkout / "static/vendor/STAMP").unlink()
    found = {**environment, "PYTHONPATH": str(checkout / "app"), "WATCHBELL_HOME": str(tmp_path / "home")}

    done = Install(sys.executable, found, checkout).run("-m", "watchbell", "up")

    assert done.returncode == 78
    assert "make assets" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
