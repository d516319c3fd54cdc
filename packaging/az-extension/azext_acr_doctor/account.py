"""Gives the program tokens of the account that az is signed in with.

The program asks for a token when it needs one, over loopback, with a key that only it was told. So a sign-in that is
slow or broken is seen by the diagnosis, which does not wait for it, and no token stands in an environment or a file.
"""

import json
import secrets
import socketserver
import threading

VARIABLE = "ACR_DOCTOR_AZ"
# A question is some hundred bytes.
LONGEST_QUESTION = 16384


class Server:
    """Answers as long as it is entered. `token(scope, tenant, subscription)` gives what `profile_token` does."""

    def __init__(self, token):
        self._key = secrets.token_urlsafe(32)
        server = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 10

            def handle(self):
                line = self.rfile.readline(LONGEST_QUESTION)
                self.wfile.write(json.dumps(server.answer(line, token)).encode())

        class Listener(socketserver.ThreadingTCPServer):
            # A sign-in that hangs must not hold up az's own end.
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request, client_address):
                """A program that went away before its answer is no error of az."""

        self._listener = Listener(("127.0.0.1", 0), Handler)

    @property
    def address(self):
        """What the program is told: where, and the key."""
        host, port = self._listener.server_address[:2]
        return f"{host}:{port}/{self._key}"

    def __enter__(self):
        threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown()
        self._listener.server_close()

    def answer(self, line, token):
        """A token, or why there is none."""
        try:
            question = json.loads(line)
            key, scope = str(question["key"]), str(question["scope"])
        except (ValueError, KeyError, TypeError):
            return {"error": "this is no question"}
        if not secrets.compare_digest(key.encode(), self._key.encode()):
            return {"error": "the key is wrong"}
        try:
            return token(scope, question.get("tenant"), question.get("subscription"))
        except Exception as error:  # pylint: disable=broad-except
            # Whatever az says is the reason that the diagnosis shows.
            return {"error": " ".join(str(error).split()) or type(error).__name__}


def profile_token(profile):
    """A function that asks az's profile for tokens."""

    def token(scope, tenant, subscription):
        where = {}
        if tenant:
            where["tenant"] = tenant
        elif subscription and _knows(profile, subscription):
            where["subscription"] = subscription
        (_, access_token, entry), subscription, tenant = profile.get_raw_token(scopes=[scope], **where)
        return {
            "accessToken": access_token,
            "expiresOn": int(entry["expires_on"]),
            "subscription": subscription,
            "tenant": tenant,
        }

    return token


def _knows(profile, subscription):
    """Whether az lists it: of one that it does not list, ARM itself shall say so."""
    return any(
        subscription.lower() in (known["id"].lower(), known["name"].lower())
        for known in profile.load_cached_subscriptions()
    )


def default_subscription(profile):
    """The subscription that az stands in, if it is signed in."""
    current = (known for known in profile.load_cached_subscriptions() if known.get("isDefault"))
    return next((known["id"] for known in current), None)
