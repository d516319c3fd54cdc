"""From what az parsed to the program's own command line."""

from .arguments import is_azs_own

# These commands want to know where to look, and az always stands in a subscription.
WANTS_A_SCOPE = {
    "config": ("name", "from"),
    "audit": ("management_group", "all_subscriptions", "config_dir", "probe_dir"),
    "permissions": ("scope",),
}


def words(command, values, *, subscription=None, default_subscription=None, default_name=None, cloud=None):
    """The command and its arguments.

    `subscription` is the one that az was told, `default_subscription` the one that it stands in otherwise,
    `default_name` the registry of `az config set defaults.acr`, which the program itself puts in the place of a name,
    `cloud` the one that az is signed in to.
    """
    values = dict(values)
    known = {argument["id"]: argument for argument in command["arguments"]}
    if "subscription" in known and is_azs_own(known["subscription"]):
        values["subscription"] = subscription
    others = WANTS_A_SCOPE.get(command["name"], ())
    given = any(values.get(name) for name in ("subscription", *others)) or ("name" in others and default_name)
    if others and not given:
        values["subscription"] = default_subscription
    if "cloud" in known and not values.get("cloud"):
        values["cloud"] = cloud
    options, operands = [], []
    for argument in command["arguments"]:
        value = values.get(argument["id"])
        if not argument.get("long"):
            operands.extend(_flat(value))
        elif not argument.get("value"):
            options.extend([f"--{argument['long']}"] if value else [])
        else:
            # In one word, so that a value may begin with a hyphen.
            options.extend(f"--{argument['long']}={one}" for one in _flat(value))
    return [command["name"], *options, *(["--", *operands] if operands else [])]


def _flat(value):
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return [one for part in value for one in _flat(part)]
    return [str(value)]
