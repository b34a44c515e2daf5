"""Anthropic, whose SDK tells its own spans."""

from tests.clients.anthropic_calls import make_calls
from tests.clients.telemetry import sending

if __name__ == "__main__":
    with sending("anthropic_alone") as provider_url:
        make_calls(provider_url)
