"""Traces and exports out of files: a map says which column means what, and the rows enter through the inbox like all other traffic."""
