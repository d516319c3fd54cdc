"""Runs the program for az."""

import json
import os
import subprocess
import sys

from knack.events import EVENT_CLI_SUCCESSFUL_EXECUTE
from knack.log import get_logger

from . import account, binary
from .cloud import CloudArgument, Incomplete
from .command_line import words
from .commands import VERSION

logger = get_logger(__name__)

# The diagnosis could not be completed: the program's own exit code for it.
INCOMPLETE = 3
# The program draws these itself, where no query asks for something else.
DRAWN = ("table", "tsv")


def run(command, values):
    """The program's document, for az to query and to print; nothing where the program printed it itself."""
    from azure.cli.core._profile import Profile

    values = dict(values)
    cli = values.pop("cmd").cli_ctx
    typed = set(cli.data.get("safe_params") or ())
    profile = Profile(cli_ctx=cli)
    try:
        program = _program()
        with account.Server(account.profile_token(profile)) as server, CloudArgument(
            cli.cloud, cli.config.get("acr", "audience_resource", fallback=None)
        ) as cloud:
            line = words(
                command,
                values,
                subscription=cli.data.get("subscription_id"),
                default_subscription=account.default_subscription(profile),
                default_name=cli.config.get("defaults", "acr", fallback=None),
                cloud=cloud,
            )
            drawn = form(command["name"], cli.invocation.data, typed)
            # After the command's name: behind operands they would be operands.
            line[1:1] = ["--output", drawn or "json", *switches(cli, typed)]
            code, text = execute([program, *line], {**os.environ, account.VARIABLE: server.address}, not drawn)
    except (binary.NotFound, Incomplete, OSError) as error:
        logger.error("%s", error)
        sys.exit(INCOMPLETE)
    if code:
        # az ends with 0 whatever was found; this comes after it has printed.
        cli.register_event(EVENT_CLI_SUCCESSFUL_EXECUTE, lambda *_, **__: sys.exit(code))
    return document(text)


def _program():
    program = binary.find()
    found = binary.version(program)
    if found != VERSION:
        logger.warning("%s is version %s, this extension is made for %s.", program, found, VERSION)
    return program


def form(name, invocation, typed):
    """The format that the program itself prints, or none where az prints its document."""
    if name == "check-health" and not typed.intersection(("-o", "--output", "--query")):
        # As `az acr check-health`: lines on standard error, nothing on standard output.
        return "none"
    output = invocation.get("output")
    return output if output in DRAWN and not invocation.get("query_active") else None


def switches(cli, typed):
    """az's own switches, which the program has too; what az has configured the program reads itself."""
    known = [switch for switch in ("--debug", "--verbose") if switch in typed]
    if cli.only_show_errors:
        known.append("--only-show-errors")
    return known


def execute(line, environment, captured):
    """Runs the program to its end, whatever keys are pressed: it ends by itself on Ctrl-C, with what it knows."""
    sys.stdout.flush()
    process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE if captured else None)
    while True:
        try:
            text, _ = process.communicate()
            break
        except KeyboardInterrupt:
            continue
    code = process.returncode
    return (code if code >= 0 else 128 - code), text or b""


def document(text):
    """The program's document; what is none, such as rules for a firewall, is printed as it is."""
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError:
        sys.stdout.write(text.decode("utf-8", "replace"))
        return None
