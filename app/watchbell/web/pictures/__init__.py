"""The geometry of the pictures: pure modules that say where everything stands; templates only place it."""
