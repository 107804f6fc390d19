"""How much the log says, changed while the daemon runs, until the next reload."""

import logging
import sys
from collections.abc import Mapping
from typing import Any

from botod.daemon.console import Deed
from botod.daemon.services.operation import Params
from botod.daemon.services.shapes import Struct, Text
from botod.ipc.errors import Code, RpcError

LEVELS = ("debug", "info", "warning", "error")
"""Those of `[daemon] log_level`."""

PACKAGE = "botod."
"""What has a level of its own: others' modules log whole answers, and what signs."""

SHAPE = Struct({"level": Text(choices=LEVELS)}, {"module": Text(min_length=1, max_length=100)})


class LogLevels:
    """The levels that differ from the configuration's."""

    def __init__(self) -> None:
        self._changed: dict[str, str] = {}

    def deed(self) -> Deed:
        return Deed(self._set, SHAPE)

    def reset(self) -> None:
        """Forget them; the configuration's are set afterwards."""
        for name in self._changed:
            logging.getLogger(name).setLevel(logging.NOTSET)
        self._changed.clear()

    async def _set(self, params: Params) -> Mapping[str, Any]:
        """`level`: of all that has none of its own. `modules`: those that have."""
        level, module = params["level"].upper(), params.get("module")
        if module is None:
            logging.getLogger().setLevel(level)
        else:
            name = PACKAGE + module.removeprefix(PACKAGE)
            if name not in sys.modules:
                words = f"no module {module!r}; say it as the log does: pool, daemon.worker"
                raise RpcError(Code.INVALID_PARAMS, words)
            logging.getLogger(name).setLevel(level)
            self._changed[name] = level.lower()
        root = logging.getLevelName(logging.getLogger().level)
        return {"level": root.lower(), "modules": dict(self._changed)}
