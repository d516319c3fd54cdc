"""The cloud that az is signed in to, as the program's `--cloud` takes it."""

import json
import os
import tempfile

BUILT_IN = ("AzureCloud", "AzureUSGovernment", "AzureChinaCloud")


class Incomplete(Exception):
    """A custom cloud lacks something that the program must know."""


class CloudArgument:
    """A built-in cloud's name, or a file that describes the other one as long as this is entered."""

    def __init__(self, cloud, audience=None):
        self._cloud, self._audience, self._file = cloud, audience, None

    def __enter__(self):
        if self._cloud.name in BUILT_IN:
            return self._cloud.name
        handle, self._file = tempfile.mkstemp(prefix="acr-doctor-cloud-", suffix=".json")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(description(self._cloud, self._audience), file)
        return self._file

    def __exit__(self, *_):
        if self._file:
            os.unlink(self._file)


def description(cloud, audience=None):
    """What the program must know of a cloud that is not built in."""
    endpoint = _reader(cloud.endpoints, "endpoint", cloud.name)
    suffix = _reader(cloud.suffixes, "suffix", cloud.name)
    registry = suffix("acr_login_server_endpoint").lstrip(".")
    known = {
        "name": cloud.name,
        "resourceManager": endpoint("resource_manager"),
        "resourceManagerAudience": endpoint("active_directory_resource_id"),
        "authority": endpoint("active_directory"),
        "registrySuffix": registry,
        "dataEndpointSuffix": f"data.{registry}",
        "privateZone": f"privatelink.{registry}",
        "blobSuffix": "blob." + suffix("storage_endpoint").lstrip("."),
        "logAnalytics": endpoint("log_analytics_resource_id", "https://api.loganalytics.io"),
    }
    if audience:
        known["registryAudience"] = audience
    return known


def _reader(group, kind, name):
    def read(member, otherwise=None):
        # az raises an error of its own where a member is not set.
        try:
            value = getattr(group, member)
        except Exception:  # pylint: disable=broad-except
            value = None
        if value or otherwise:
            return value or otherwise
        flag = member.replace("_", "-")
        raise Incomplete(
            f"The cloud '{name}' has no {kind} {member}: az cloud update -n {name} --{kind}-{flag} VALUE"
        )

    return read
