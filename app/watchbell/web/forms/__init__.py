"""What people type, before the services judge it."""
