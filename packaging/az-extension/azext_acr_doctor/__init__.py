"""`az acr doctor`: the program acr-doctor under the Azure CLI, with its account, cloud and output.

The commands are those of `commands.json`, which the program's own tests write from its command line.
"""

from azure.cli.core import AzCommandsLoader
from knack.arguments import CLICommandArgument

from . import help as pages
from .arguments import dest, settings
from .commands import COMMANDS, GROUP
from .program import run


class DoctorCommandsLoader(AzCommandsLoader):
    """Declares a command of az for each one of the program."""

    def load_command_table(self, args):
        for command in COMMANDS:
            self._cli_command(
                f"{GROUP} {command['name']}",
                handler=lambda values, command=command: run(command, values),
                argument_loader=lambda command=command: [
                    (dest(argument), CLICommandArgument(dest(argument)))
                    for argument in command["arguments"]
                    if dest(argument)
                ],
                description_loader=lambda command=command: command["about"],
            )
        return self.command_table

    def load_arguments(self, command):
        for known in COMMANDS:
            with self.argument_context(f"{GROUP} {known['name']}") as context:
                for argument in known["arguments"]:
                    if not dest(argument):
                        continue
                    declare = context.argument if argument.get("long") else context.positional
                    declare(dest(argument), **settings(argument))
                    if argument["id"] == "subscription":
                        # Several subscriptions instead of az's own one.
                        context.ignore("_subscription")


pages.load()

COMMAND_LOADER_CLS = DoctorCommandsLoader
