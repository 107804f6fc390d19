"""`botod run`: the daemon in the foreground, for supervisor, systemd or a terminal."""

import argparse
import asyncio
import logging
import resource
import sys
from collections.abc import Sequence

from botod.daemon.config import Config, ConfigError, load
from botod.daemon.keys_file import BadKeysFile
from botod.daemon.listener import SocketInUse
from botod.daemon.service import Service
from botod.daemon.upload_files import BadStateDir
from botod.pool import PoolError

EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: starting it again will not help."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="botod run", description="Run the daemon.")
    parser.add_argument("--config", metavar="FILE", help="settings in TOML; default: all defaults")
    arguments = parser.parse_args(argv)
    try:
        config = load(arguments.config) if arguments.config else Config()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    logging.basicConfig(
        level=config.daemon.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for name in ("boto", "botocore", "urllib3"):  # they log whole answers, and what signs
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # What is in memory are keys: no core of it is written.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        asyncio.run(_serve(config))
    except (BadKeysFile, BadStateDir) as error:
        sys.stderr.write(f"botod: {error}\n")
        return EXIT_CONFIG
    except (SocketInUse, PoolError) as error:
        sys.stderr.write(f"botod: {error}\n")
        return 1
    return 0


async def _serve(config: Config) -> None:
    await Service(config).run()
