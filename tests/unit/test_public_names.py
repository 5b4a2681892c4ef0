from __future__ import annotations

import subprocess
import sys

import pytest

import watchbell
from watchbell.version import __version__


def test_importing_the_package_loads_no_framework() -> None:
    ask = "import sys, watchbell; print(*sorted({'flask', 'sqlalchemy', 'apscheduler', 'watchbell.web'} & set(sys.modules)))"

    loaded = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout

    assert loaded.split() == []


def test_the_dashboard_has_two_spellings() -> None:
    from watchbell import RunDashboard, scheduler_tools

    assert scheduler_tools.RunDashboard is RunDashboard


def test_the_package_tells_its_version() -> None:
    assert watchbell.__version__ == __version__


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = watchbell.no_such_name
