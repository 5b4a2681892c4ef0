"""The scheduler process seen from outside: its lock, its PID file, its log, and starting and stopping it."""
