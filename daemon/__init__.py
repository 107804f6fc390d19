"""botod.daemon: puts pool and ipc together into a service."""
