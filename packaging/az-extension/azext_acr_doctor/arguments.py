"""The program's arguments as az declares arguments."""


def is_azs_own(argument):
    """Whether az has this argument for every command: one subscription, by id or name."""
    return argument["id"] == "subscription" and not argument.get("many")


def dest(argument):
    """The name of the argument among az's parsed values; none for those that are az's own."""
    return None if is_azs_own(argument) else argument["id"]


def settings(argument):
    """What az needs to know to parse it and to show it."""
    known = {"help": _help(argument)}
    if argument.get("long"):
        short = [f"-{argument['short']}"] if argument.get("short") else []
        known["options_list"] = [f"--{argument['long']}", *short]
    if argument.get("heading"):
        known["arg_group"] = argument["heading"]
    if not argument.get("value"):
        known["action"] = "store_true"
        return known
    if argument.get("choices"):
        known["choices"] = argument["choices"]
    if argument.get("many"):
        known["nargs"] = "+" if argument.get("long") else "*"
    elif not argument.get("long"):
        known["nargs"] = "?"
    if argument.get("long") and argument.get("repeated"):
        known["action"] = "append"
    if argument.get("required"):
        known["required"] = True
    return known


def _help(argument):
    parts = [argument["help"].rstrip(".") + "."]
    shape = argument.get("value")
    if shape and not argument.get("choices") and not shape.isalpha():
        parts.append(f"Shape: {shape}.")
    if argument.get("default") is not None:
        parts.append(f"Default: {argument['default']}.")
    return " ".join(parts)
