"""A browser without a window, told what to do over a pipe, in Chromium's own protocol."""

import base64
import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

BOUND_S = 60.0
"""For what takes a second; a browser starts slowly on a busy machine."""

PROGRAMS = ("chromium-headless-shell", "chromium")
"""As Debian has them; either will do."""

ON_3_AND_4 = 'exec 3<&"$0" 4>&"$1"; shift; exec "$@"'
"""The protocol's two descriptors have fixed numbers."""


class Browser:
    """One page of a browser. complaints: what its console said of errors, and what it threw."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer = reader, writer
        self._unread = b""
        self._number = 0
        self._session = ""
        self.complaints: list[str] = []

    def open(self, url: str, *, width: int, height: int, is_dark: bool = False) -> None:
        """Show a page at this size; returns when it has loaded."""
        if not self._session:
            target = self._do("Target.createTarget", url="about:blank")["targetId"]
            attached = self._do("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self._do(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self._do("Emulation.setEmulatedMedia", features=[scheme])
        self._do(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        self._do("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """What an expression in JavaScript comes to, as JSON has it; promises are awaited."""
        answer = self._do(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str, bound_s: float = BOUND_S) -> None:
        """Wait until an expression is true, which nobody announces."""
        deadline = time.monotonic() + bound_s
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < deadline, f"never came to be: {expression}"
            time.sleep(0.05)

    def picture(self, selector: str = "body") -> bytes:
        """What is seen of an element, as PNG."""
        box = self.value(
            f"(({{x, y, width, height}}) => ({{x, y, width, height}}))"
            f"(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        answer = self._do(
            "Page.captureScreenshot", clip={**box, "scale": 1}, captureBeyondViewport=True
        )
        return base64.b64decode(answer["data"])

    def _do(self, method: str, **params: Any) -> dict[str, Any]:
        """What a command answers."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + BOUND_S
        while (answer := self._message(deadline)).get("id") != self._number:
            self._note(answer.get("method", ""), answer.get("params", {}))
        assert "error" not in answer, answer["error"]
        result: dict[str, Any] = answer["result"]
        return result

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            left_s = max(0.0, deadline - time.monotonic())
            assert select.select([self._reader], [], [], left_s)[0], "the browser says nothing"
            read = os.read(self._reader, 1 << 20)
            assert read, "the browser has ended"
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _note(self, event: str, params: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] in ("warning", "error"):
            self.complaints.append(json.dumps(params["entry"]))
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("warning", "error"):
            self.complaints.append(json.dumps(params["args"]))


@contextlib.contextmanager
def running_browser(program: str) -> Iterator[Browser]:
    """A browser with nothing of the user's, for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="botod-browser-", ignore_cleanup_errors=True)
        )
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        for descriptor in (ours_in, ours_out):
            stack.callback(os.close, descriptor)
        command = [
            program, "--headless", "--remote-debugging-pipe", f"--user-data-dir={folder}",
            "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]  # fmt: skip
        numbers = (str(theirs_in), str(theirs_out))
        process = subprocess.Popen(
            ["bash", "-c", ON_3_AND_4, *numbers, *command],
            pass_fds=(theirs_in, theirs_out),
            env={"PATH": os.environ["PATH"], "HOME": folder, "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait, BOUND_S)
        stack.callback(process.kill)
        os.close(theirs_in)
        os.close(theirs_out)
        yield Browser(ours_in, ours_out)
