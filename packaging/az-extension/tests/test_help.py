import unittest

from azext_acr_doctor.help import after_help


class Help(unittest.TestCase):
    def test_examples_are_what_az_would_run(self):
        text = "Needs no sign-in.\n\nExamples:\n  acr-doctor probe a\n  az acr show | acr-doctor config --from -"
        self.assertEqual(
            after_help(text),
            (["Needs no sign-in."], ["az acr doctor probe a", "az acr show | az acr doctor config --from -"]),
        )
