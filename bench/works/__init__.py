"""What is measured: a module a group of works."""

from works import company, hot, in_flight, large, many, one_shot, web

ALL = {
    work.name: work
    for module in (hot, one_shot, many, in_flight, large, company, web)
    for work in module.WORKS
}
"""By name, in the order in which they are run and stand on the page."""
