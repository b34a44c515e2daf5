"""The JSON doors under /api, the same on the console's port and on the telemetry port."""
