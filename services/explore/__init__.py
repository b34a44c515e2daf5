"""Explore: any measure by any dimension, kept as views, taken out as files."""
