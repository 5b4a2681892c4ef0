"""Program 3: runs on a device, asks the server for jobs, does them and reports; needs neither Flask nor a database."""

from __future__ import annotations
