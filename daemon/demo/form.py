"""The parameters of AWS's query protocol, as a form or a query string carries them. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from botod.daemon.demo.errors import Refused
from botod.daemon.demo.limits import invalid

FLAGS: Mapping[str, bool] = {"true": True, "false": False}

# Of nine digits at most: int() of very many is slow.
_NUMBERED = re.compile(r"([A-Za-z]+)\.([0-9]{1,9})(?:\.(.+))?", re.DOTALL)


@dataclass(frozen=True)
class Form:
    """Parameters by name.

    prefix: what their names had in front of them, for what an error says
    """

    fields: Mapping[str, str]
    prefix: str = ""

    def required(self, name: str) -> str:
        if name not in self.fields:
            raise Refused(
                "MissingParameter", f"The request must contain the parameter {self.prefix}{name}."
            )
        return self.fields[name]

    def optional(self, name: str) -> str | None:
        return self.fields.get(name)

    def flag(self, name: str, default: bool) -> bool:  # noqa: FBT001 - it is the flag's value
        text = self.fields.get(name)
        if text is None:
            return default
        if text.lower() not in FLAGS:
            raise invalid(
                f"{self.prefix}{name}", text, f"The {name} flag should be either true or false."
            )
        return FLAGS[text.lower()]

    def numbered(self, name: str) -> list[str]:
        """`Name.1`, `Name.2` and so on, in order; numbers may be missing."""
        return [form.fields[""] for form in self.groups(name) if "" in form.fields]

    def groups(self, name: str) -> "list[Form]":
        """`Name.1.Field`, `Name.2.Field` and so on, a form a number; numbers may be missing."""
        groups: dict[int, dict[str, str]] = {}
        for key, value in self.fields.items():
            match = _NUMBERED.fullmatch(key)
            if match and match[1] == name:
                groups.setdefault(int(match[2]), {})[match[3] or ""] = value
        return [
            Form(fields, f"{self.prefix}{name}.{number}.")
            for number, fields in sorted(groups.items())
        ]

    def part(self, name: str) -> "Form":
        """`Name.Field` and so on, without numbers, as a form; empty if there is none."""
        prefix = f"{name}."
        fields = {
            key.removeprefix(prefix): value
            for key, value in self.fields.items()
            if key.startswith(prefix)
        }
        return Form(fields, f"{self.prefix}{prefix}")


def parsed(text: str) -> Form:
    """A form from `name=value&name=value`, in UTF-8, percent-encoded."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise invalid("request", text, "It is not UTF-8.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refused("InvalidParameterCombination", "A parameter was specified more than once.")
    return Form(fields)
