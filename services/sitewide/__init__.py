"""Site-wide: councils' figures, one summary a field and year, and factoids that are made when a summary changed and served always.

    file ─import─▶ figures ─pending─▶ summaries ─candidates─▶ edition (worded in a worker) ─▶ readers

Whatever changes a figure says in the same transaction which fields and years it touched. Only those are summarised again; only factoids
whose facts are others are worded again; and nobody who reads ever waits for either.
"""
