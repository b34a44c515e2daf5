"""Patience: a machine that runs these tests beside others takes longer than the library's five seconds to draw a page."""

from playwright.sync_api import expect

expect.set_options(timeout=20_000)
