"""Make ``python -m watchbell`` the same program as the ``watchbell`` command."""

from __future__ import annotations

import sys

from watchbell.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
