"""The gateway against real stores and servers that speak the providers' protocols."""
