# SPDX-License-Identifier: Apache-2.0
"""Brings a store's schema up to date, by the steps in `migrations/versions/`."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

_STEPS: Final = Path(__file__).with_name("migrations")


def configuration() -> Config:
    """Give Alembic's configuration; there is no file of it, since the package is all there is where we are installed."""
    config = Config()
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def to_latest(connection: Connection) -> None:
    """Take all steps that are missing, within the transaction of `connection`: all of them or none."""
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
