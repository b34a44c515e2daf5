"""Analyses of records: facts computed by statistics, worded by a template or by a model, kept for as long as they hold.

A module a kind, each with `facts(case)`, which is pure, and `render(facts)`, which is what people read where no model words it.
"""
