"""The program's commands, as its own tests wrote them down."""

import json
from pathlib import Path

GROUP = "acr doctor"

_DOCUMENT = json.loads(Path(__file__).with_name("commands.json").read_text(encoding="utf-8"))

VERSION = _DOCUMENT["version"]
COMMANDS = _DOCUMENT["commands"]


def named(name):
    """The command of this name."""
    return next(command for command in COMMANDS if command["name"] == name)
