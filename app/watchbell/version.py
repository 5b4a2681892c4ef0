"""The version, and nothing else: setup.py reads this file without importing the package."""

from __future__ import annotations

__version__ = "0.1.0"
