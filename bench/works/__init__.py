"""What is measured: a module a group of works."""

from works import hot

ALL = {work.name: work for work in (*hot.WORKS,)}
"""By name, in the order in which they are run and stand on the page."""
