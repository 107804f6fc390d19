"""What is said in the environment, to all who read it."""

import posix

import pytest


def set_environ(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Say something in the environment, also to `botod call`, which reads it without `os`."""
    monkeypatch.setenv(name, value)
    monkeypatch.setitem(posix.environ, name.encode(), value.encode())
