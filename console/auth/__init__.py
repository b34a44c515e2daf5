"""The gate: who may pass, how to sign in, and who is asking."""
