"""az's help pages, from the program's own help texts."""

import json

from knack.help_files import helps

from .commands import COMMANDS, GROUP


def load():
    """Gives az a page for the group and one for each command."""
    helps[GROUP] = _page("group", "Say why a container registry cannot be reached from here, and what mends it.", [], [])
    for command in COMMANDS:
        notes, examples = after_help(command.get("afterHelp", ""))
        helps[f"{GROUP} {command['name']}"] = _page("command", command["about"], notes, examples)


def _page(kind, summary, notes, examples):
    page = {"type": kind, "short-summary": summary.rstrip(".") + "."}
    if notes:
        page["long-summary"] = " ".join(notes)
    if examples:
        page["examples"] = [{"name": f"Example {at}.", "text": text} for at, text in enumerate(examples, 1)]
    # JSON is YAML, which is what az reads.
    return json.dumps(page)


def after_help(text):
    """The notes and the examples of the program's help, the examples as az would run them."""
    notes, examples, in_examples = [], [], False
    for line in text.splitlines():
        if line.rstrip() in ("Example:", "Examples:"):
            in_examples = True
        elif not line.strip():
            continue
        elif in_examples:
            examples.append(line.strip().replace("acr-doctor ", f"az {GROUP} "))
        else:
            notes.append(line.strip())
    return notes, examples
