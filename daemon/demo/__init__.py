"""The demo: servers that speak the real protocols, and local processes that use the daemon."""
