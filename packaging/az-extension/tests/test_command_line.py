import unittest

from azext_acr_doctor.arguments import dest, settings
from azext_acr_doctor.command_line import words
from azext_acr_doctor.commands import COMMANDS, named


def argument(command, name):
    return next(a for a in named(command)["arguments"] if a["id"] == name)


class CommandLine(unittest.TestCase):
    def test_options_carry_their_values_in_one_word(self):
        values = {"name": "myreg", "image": "-odd:1", "no_sign_in": True, "imds": False, "used_by": None}
        self.assertEqual(
            words(named("check"), values, cloud="AzureChinaCloud"),
            ["check", "--name=myreg", "--cloud=AzureChinaCloud", "--image=-odd:1", "--no-sign-in"],
        )

    def test_a_cloud_that_is_typed_wins(self):
        line = words(named("check"), {"name": "r", "cloud": "mine.json"}, cloud="AzureCloud")
        self.assertIn("--cloud=mine.json", line)
        self.assertNotIn("--cloud=AzureCloud", line)

    def test_several_values_are_repeated_however_they_were_given(self):
        values = {"set": [["a=1", "b=2"], ["c+=3"]], "name": "r"}
        line = words(named("whatif"), values)
        self.assertEqual([w for w in line if w.startswith("--set")], ["--set=a=1", "--set=b=2", "--set=c+=3"])

    def test_what_is_no_option_stands_behind_two_hyphens(self):
        self.assertEqual(words(named("explain"), {"text": ["--x", "denied"]}), ["explain", "--", "--x", "denied"])
        self.assertEqual(words(named("explain"), {"text": []}), ["explain"])

    def test_the_subscription_that_az_was_told_is_handed_on_and_its_own_is_not(self):
        self.assertIn("--subscription=s1", words(named("check"), {"name": "r"}, subscription="s1"))
        line = words(named("check"), {"name": "r"}, default_subscription="s2")
        self.assertFalse([w for w in line if w.startswith("--subscription")])

    def test_a_command_that_must_know_where_to_look_looks_where_az_stands(self):
        for command in ("audit", "config", "permissions"):
            line = words(named(command), {}, default_subscription="s2")
            self.assertIn("--subscription=s2", line, command)
        for command, values in (
            ("audit", {"all_subscriptions": True}),
            ("audit", {"management_group": "g"}),
            ("audit", {"config_dir": [["d"]]}),
            ("config", {"name": "r"}),
            ("config", {"from": [["f"]]}),
            ("permissions", {"scope": [["/x"]]}),
        ):
            line = words(named(command), values, default_subscription="s2")
            self.assertNotIn("--subscription=s2", line, f"{command} {values}")
        line = words(named("config"), {}, default_subscription="s2", default_name="myreg")
        self.assertNotIn("--subscription=s2", line)
        self.assertEqual(
            words(named("audit"), {"subscription": [["a", "b"]]}, default_subscription="s2"),
            ["audit", "--subscription=a", "--subscription=b"],
        )


class Declarations(unittest.TestCase):
    def test_one_subscription_is_azs_own_argument_and_several_are_not(self):
        self.assertIsNone(dest(argument("check", "subscription")))
        self.assertEqual(settings(argument("audit", "subscription"))["nargs"], "+")

    def test_switches_choices_and_needs_are_azs(self):
        self.assertEqual(settings(argument("check", "no_sign_in"))["action"], "store_true")
        self.assertEqual(settings(argument("check", "fail_on"))["choices"], ["error", "warning", "info", "never"])
        self.assertTrue(settings(argument("whatif", "set"))["required"])
        self.assertEqual(settings(argument("check-health", "yes"))["options_list"], ["--yes", "-y"])

    def test_no_argument_takes_a_name_of_azs_own(self):
        azs = {"--output", "-o", "--query", "--debug", "--verbose", "--only-show-errors", "--help", "-h", "--ids"}
        for command in COMMANDS:
            for known in command["arguments"]:
                if known.get("long"):
                    taken = azs.intersection(settings(known)["options_list"])
                    self.assertFalse(taken, f"{command['name']} {taken}")
                # argparse would take it for a format.
                self.assertNotIn("%", known["help"])
