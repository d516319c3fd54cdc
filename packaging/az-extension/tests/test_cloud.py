import json
import os
import unittest
from types import SimpleNamespace

from azext_acr_doctor.cloud import CloudArgument, Incomplete


class Endpoints:
    """az raises where a member is not set."""

    def __init__(self, **members):
        self.members = members

    def __getattr__(self, name):
        if name in self.members:
            return self.members[name]
        raise RuntimeError(f"The endpoint for '{name}' is not set")


def custom(**endpoints):
    known = {
        "resource_manager": "https://arm.contoso.example/",
        "active_directory": "https://login.contoso.example/",
        "active_directory_resource_id": "https://arm.contoso.example/",
        **endpoints,
    }
    suffixes = Endpoints(acr_login_server_endpoint=".cr.contoso.example", storage_endpoint="store.contoso.example")
    return SimpleNamespace(name="Contoso", endpoints=Endpoints(**known), suffixes=suffixes)


class Cloud(unittest.TestCase):
    def test_a_built_in_cloud_is_its_name(self):
        with CloudArgument(SimpleNamespace(name="AzureUSGovernment")) as argument:
            self.assertEqual(argument, "AzureUSGovernment")

    def test_another_one_is_a_file_that_is_gone_afterwards(self):
        with CloudArgument(custom(), "https://acr.contoso.example") as argument:
            with open(argument, encoding="utf-8") as file:
                known = json.load(file)
        self.assertFalse(os.path.exists(argument))
        self.assertEqual(known["registrySuffix"], "cr.contoso.example")
        self.assertEqual(known["privateZone"], "privatelink.cr.contoso.example")
        self.assertEqual(known["blobSuffix"], "blob.store.contoso.example")
        self.assertEqual(known["registryAudience"], "https://acr.contoso.example")
        self.assertEqual(known["logAnalytics"], "https://api.loganalytics.io")

    def test_a_member_that_must_be_there_is_asked_for(self):
        with self.assertRaisesRegex(Incomplete, "--endpoint-active-directory VALUE"):
            with CloudArgument(custom(active_directory=None)):
                pass
