"""Every service of AWS's by its model: botocore's models are the table, boto carries the requests.

A model says what an operation takes and gives, and how both are written; botocore's serializers and
parsers follow it. Its event system, its clients and its HTTP are not used: what its handlers know
beyond the models is a small table in `quirks`. Only `daemon/services/catalog.py` imports from here,
and only once an operation that has no row of its own is asked for.
"""
