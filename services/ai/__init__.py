"""Everything that speaks to a model."""
