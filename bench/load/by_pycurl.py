"""curl's multi interface from Python, nothing signed or parsed: what Python can carry at most."""

import time
from typing import Any

import pycurl

from load.meter import Meter
from load.plain_http import plain
from load.task import Task


def _handle(task: Task) -> tuple[Any, list[bytes]]:
    """An easy handle that is used again and again, and where its answer comes."""
    method, url, body = plain(task)
    handle, pieces = pycurl.Curl(), []
    handle.setopt(pycurl.URL, url)
    if task.ca_file:
        handle.setopt(pycurl.CAINFO, task.ca_file)
    handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    handle.setopt(pycurl.WRITEFUNCTION, pieces.append)
    if body is not None:
        handle.setopt(pycurl.POSTFIELDS, body)
        handle.setopt(pycurl.CUSTOMREQUEST, method)
    return handle, pieces


def run(task: Task) -> Meter:
    meter, multi = Meter(task), pycurl.CurlMulti()
    pieces_of = dict(_handle(task) for _ in range(task.in_flight))
    _drive(multi, pieces_of, task.warm_up, [])
    meter.begin()
    _drive(multi, pieces_of, task.number, meter.took_s)
    meter.end()
    return meter


def _drive(multi: Any, pieces_of: dict[Any, list[bytes]], number: int, took_s: list[float]) -> None:
    """So many requests over the handles."""
    began = {}
    left = number
    for handle in list(pieces_of)[:number]:
        began[handle] = time.perf_counter()
        multi.add_handle(handle)
        left -= 1
    while began:
        multi.perform()
        _more, good, bad = multi.info_read(len(pieces_of))
        assert not bad, bad
        for handle in good:
            took_s.append(time.perf_counter() - began.pop(handle))
            pieces_of[handle].clear()
            multi.remove_handle(handle)
            if left:
                left -= 1
                began[handle] = time.perf_counter()
                multi.add_handle(handle)
        if not good:
            multi.select(1.0)
