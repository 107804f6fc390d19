"""The pieces of the hot path, each alone: microseconds of CPU a call, beside a budget.

python -m micro             # with bench/ in PYTHONPATH, or: make bench-micro
python -m micro --quick
"""
