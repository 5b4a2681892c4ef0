"""One module for each entry of the navigation; each offers its ``blueprint``."""
