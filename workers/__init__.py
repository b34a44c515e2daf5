"""Everything that runs behind the console: `python -m workers dispatch` and `python -m workers work QUEUE`."""
