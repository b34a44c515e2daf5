"""Applications under unmodified instrumentation libraries: `python -m tests.clients.NAME PROVIDER_URL OTLP_ENDPOINT KEY`."""
