"""``python -m watchbell.agent``."""

from __future__ import annotations

import sys

from watchbell.agent.main import main

sys.exit(main())
