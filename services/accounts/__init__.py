"""Who may use the console and its doors: accounts, sign-ins, one-time links, API keys, audit."""
