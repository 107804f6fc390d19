"""Who asks: each module is one way to do the same requests, run in an environment of its own.

    python -m load MODULE TASK    # TASK: a load.task.Task as JSON

prints one line of JSON with what it took. Nothing is imported here that all environments do not
have, so Python's standard library alone; each way imports what it shows.
"""
