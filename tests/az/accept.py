#!/usr/bin/env python3
"""Asks the real Azure CLI's own argument parser whether it takes the commands that acr-doctor prints.

Run it with the Python of an azure-cli (`pip install azure-cli` gives one; no sign-in, no network):

    AZURE_CLI/bin/python tests/az/accept.py            checks tests/az/commands.txt, writes tests/az/accepted.txt
    AZURE_CLI/bin/python tests/az/accept.py FILE…      checks the commands in other files, writes nothing

Every line goes through azure-cli as typed, up to the point where the arguments are parsed: unknown commands and
options, missing required ones and values that are not among the choices are refused there. Nothing is executed.
"""

import contextlib
import io
import os
import pathlib
import shlex
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
COMMANDS = HERE / "commands.txt"
ACCEPTED = HERE / "accepted.txt"


class Parsed(Exception):
    """The arguments were parsed: far enough."""


def stop(*_, **__):
    raise Parsed


def objection(line):
    """What azure-cli has against a command line; nothing if it takes it."""
    from azure.cli.core import get_default_cli
    from knack.events import EVENT_INVOKER_POST_PARSE_ARGS

    words = shlex.split(line)
    if words[0] != "az":
        return "not an az command"
    cli = get_default_cli()
    cli.register_event(EVENT_INVOKER_POST_PARSE_ARGS, stop)
    invoker = cli.invocation_cls(
        cli_ctx=cli,
        parser_cls=cli.parser_cls,
        commands_loader_cls=cli.commands_loader_cls,
        help_cls=cli.help_cls,
    )
    cli.invocation = invoker
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            invoker.execute(words[1:])
    except Parsed:
        return None
    except SystemExit as end:
        return f"exit status {end.code}: {said.getvalue().strip()}"
    return "it ended without having parsed the arguments"


SUBNET = {
    "name": "nodes",
    "properties": {
        "addressPrefix": "10.0.0.0/24",
        "serviceEndpoints": [{"service": "Microsoft.Storage"}],
        "serviceEndpointPolicies": [{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/serviceEndpointPolicies/p"}],
    },
}


def unchanged_by(line):
    """Why what `--remove` names is still there; nothing if azure-cli's own update takes it away from a document.

    The parser takes any words after `--remove`: whether they name something shows only when the update is made. The
    requests before and after it are left out."""
    from azure.cli.core.aaz._command_ctx import AAZCommandCtx
    from azure.cli.core.mock import DummyCli

    words = shlex.split(line)
    name = " ".join(words[1 : next(i for i, word in enumerate(words) if word.startswith("-"))])
    if name != "network vnet subnet update":
        return f"no document is there to try `{name} --remove` with"
    removed = words[words.index("--remove") + 1 :]
    cli = DummyCli()
    cli.data["subscription_id"] = "00000000-0000-0000-0000-000000000000"
    cli.commands_loader.load_command_table(name.split())
    command = cli.commands_loader.command_table[name]
    read, kept = command.SubnetsGet, {}

    class Get:
        def __init__(self, ctx):
            self.ctx = ctx

        def __call__(self):
            self.ctx.set_var("instance", SUBNET, schema_builder=read._build_schema_on_200)

    class Put(Get):
        def __call__(self):
            kept.update(self.ctx.vars.instance.to_serialized_data()["properties"])

    command.SubnetsGet, command.SubnetsCreateOrUpdate = Get, Put
    arguments = {"resource_group": "g", "vnet_name": "v", "name": "nodes"}
    command.ctx = AAZCommandCtx(cli_ctx=cli, schema=command.get_arguments_schema(), command_args=arguments)
    command.ctx.generic_update_args = {"actions": [("remove", removed)], "force_string": False}
    try:
        list(command._execute_operations())
    except Exception as error:  # azure-cli has many kinds of them; each says what is wrong
        return str(error)
    left = [member for member in removed if kept.get(member)]
    return f"{left} are still there" if left or not kept else None


def main(files):
    # Settings and command index of its own: a user's extensions are no part of what is checked.
    os.environ["AZURE_CONFIG_DIR"] = tempfile.mkdtemp(prefix="az-accept-")
    os.environ["AZURE_CORE_COLLECT_TELEMETRY"] = "no"
    from azure.cli.core import __version__ as version

    lines = []
    for file in files or [COMMANDS]:
        text = pathlib.Path(file).read_text(encoding="utf-8")
        lines += [line for line in text.splitlines() if line and not line.startswith("#")]
    refused = 0
    for line in lines:
        against = objection(line) or (unchanged_by(line) if " --remove " in line else None)
        if against:
            refused += 1
            print(f"refused: {line}\n    {against}", file=sys.stderr)
    print(f"{len(lines) - refused} of {len(lines)} commands are accepted by azure-cli {version}")
    if refused:
        return 1
    if not files:
        head = f"# Accepted by azure-cli {version}; written by accept.py.\n"
        ACCEPTED.write_text(head + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
