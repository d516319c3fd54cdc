import os
import sys
import tempfile
import unittest
from pathlib import Path

from azext_acr_doctor import binary

NOWHERE = Path("/nowhere/acr-doctor")


def program(directory, says="acr-doctor 1.2.3"):
    path = Path(directory, "acr-doctor")
    path.write_text(f"#!{sys.executable}\nprint('{says}')\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@unittest.skipIf(sys.platform == "win32", "programs are made of a first line")
class Binary(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def test_the_variable_comes_first_then_the_wheels_own_then_the_path(self):
        own = program(self.directory)
        other = Path(self.directory, "bundled")
        other.mkdir()
        bundled = Path(program(other))
        asked = {"ACR_DOCTOR": own, "PATH": str(other)}
        self.assertEqual(binary.find(asked, bundled), own)
        self.assertEqual(binary.find({"PATH": self.directory}, bundled), str(bundled))
        self.assertEqual(binary.find({"PATH": self.directory}, NOWHERE), own)

    def test_a_variable_that_names_no_program_is_an_error(self):
        for wrong in (str(NOWHERE), self.directory):
            with self.assertRaisesRegex(binary.NotFound, "is no program"):
                binary.find({"ACR_DOCTOR": wrong, "PATH": ""}, NOWHERE)

    def test_nothing_anywhere_says_what_to_do(self):
        with self.assertRaisesRegex(binary.NotFound, "set ACR_DOCTOR"):
            binary.find({"PATH": self.directory}, NOWHERE)

    def test_the_current_directory_is_not_trusted(self):
        program(self.directory)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        with self.assertRaises(binary.NotFound):
            binary.find({"PATH": os.getcwd()}, NOWHERE)

    def test_the_version_is_the_last_word(self):
        self.assertEqual(binary.version(program(self.directory)), "1.2.3")
        self.assertIsNone(binary.version(str(NOWHERE)))
