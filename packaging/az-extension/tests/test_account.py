import json
import socket
import threading
import unittest

from azext_acr_doctor import account


class Profile:
    """az's profile as far as it is asked."""

    def __init__(self, refuses=None):
        self.asked = []
        self.refuses = refuses

    def load_cached_subscriptions(self):
        return [
            {"id": "S-1", "name": "Shop", "isDefault": False},
            {"id": "S-2", "name": "Ops", "isDefault": True},
        ]

    def get_raw_token(self, **where):
        self.asked.append(where)
        if self.refuses:
            raise self.refuses
        return ("Bearer", "jwt", {"expires_on": 1900000000}), where.get("subscription"), "t0"


def ask(address, question):
    where, _, key = address.partition("/")
    host, _, port = where.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall((json.dumps({"key": key, **question}) + "\n").encode())
        text = b""
        while chunk := connection.recv(4096):
            text += chunk
    return json.loads(text)


class Account(unittest.TestCase):
    def test_a_token_comes_with_the_account_it_is_of(self):
        profile = Profile()
        with account.Server(account.profile_token(profile)) as server:
            answer = ask(server.address, {"scope": "https://a/.default", "subscription": "shop"})
        self.assertEqual(
            answer, {"accessToken": "jwt", "expiresOn": 1900000000, "subscription": "shop", "tenant": "t0"}
        )
        self.assertEqual(profile.asked, [{"scopes": ["https://a/.default"], "subscription": "shop"}])

    def test_a_tenant_goes_before_a_subscription_and_an_unknown_one_is_left_to_arm(self):
        profile = Profile()
        token = account.profile_token(profile)
        token("s", "t1", "S-1")
        token("s", None, "elsewhere")
        self.assertEqual(profile.asked, [{"scopes": ["s"], "tenant": "t1"}, {"scopes": ["s"]}])

    def test_what_az_says_is_the_reason(self):
        token = account.profile_token(Profile(RuntimeError("AADSTS70043: The refresh token\n  has expired.")))
        with account.Server(token) as server:
            answer = ask(server.address, {"scope": "s"})
        self.assertEqual(answer, {"error": "AADSTS70043: The refresh token has expired."})

    def test_nobody_without_the_key_gets_a_token(self):
        with account.Server(account.profile_token(Profile())) as server:
            self.assertEqual(ask(server.address, {"scope": "s", "key": "guess"}), {"error": "the key is wrong"})
            self.assertEqual(ask(server.address, {"key": "ключ"})["error"], "this is no question")
            self.assertEqual(server.answer(b"[]", None), {"error": "this is no question"})
            self.assertEqual(server.answer(b"{", None), {"error": "this is no question"})

    def test_a_sign_in_that_hangs_holds_nobody_up(self):
        release, entered = threading.Event(), threading.Event()
        self.addCleanup(release.set)

        def hangs(*_):
            entered.set()
            release.wait()

        with account.Server(hangs) as server:
            where, _, key = server.address.partition("/")
            host, _, port = where.partition(":")
            connection = socket.create_connection((host, int(port)), timeout=10)
            self.addCleanup(connection.close)
            connection.sendall((json.dumps({"key": key, "scope": "s"}) + "\n").encode())
            self.assertTrue(entered.wait(10))
        # Here the server has ended, with the question still open.
        self.assertFalse(release.is_set())

    def test_the_subscription_that_az_stands_in_is_the_marked_one(self):
        self.assertEqual(account.default_subscription(Profile()), "S-2")
