"""Everything but the frameworks: what Binnacle knows and decides."""

VERSION = "0.1.0"
