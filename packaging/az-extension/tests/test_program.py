import contextlib
import io
import sys
import unittest

from azext_acr_doctor import program


class Program(unittest.TestCase):
    def test_the_program_draws_tables_and_az_does_the_rest(self):
        for output, queried, expected in (
            ("json", False, None),
            ("yaml", False, None),
            ("none", False, None),
            ("table", False, "table"),
            ("tsv", False, "tsv"),
            ("table", True, None),
            ("tsv", True, None),
        ):
            invocation = {"output": output, "query_active": queried}
            self.assertEqual(program.form("check", invocation, set()), expected, (output, queried))

    def test_check_health_prints_a_document_only_where_one_is_asked_for(self):
        json = {"output": "json", "query_active": False}
        self.assertEqual(program.form("check-health", json, {"-n", "--yes"}), "none")
        self.assertIsNone(program.form("check-health", json, {"-n", "-o"}))
        self.assertIsNone(program.form("check-health", {"output": "json", "query_active": True}, {"--query"}))

    def test_an_exit_code_and_a_document_come_back(self):
        line = [sys.executable, "-c", "import sys; print('{\"a\": 1}'); sys.exit(3)"]
        code, text = program.execute(line, None, True)
        self.assertEqual((code, program.document(text)), (3, {"a": 1}))

    def test_what_is_no_document_is_printed_as_it_is(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertIsNone(program.document(b"acl acr dstdomain myreg.azurecr.io\n"))
        self.assertEqual(printed.getvalue(), "acl acr dstdomain myreg.azurecr.io\n")
        self.assertIsNone(program.document(b" \n"))

    @unittest.skipIf(sys.platform == "win32", "there are no such signals")
    def test_an_end_by_a_signal_is_told_as_shells_tell_it(self):
        line = [sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"]
        self.assertEqual(program.execute(line, None, True)[0], 143)
