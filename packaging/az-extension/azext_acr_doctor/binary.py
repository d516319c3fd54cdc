"""Where the program is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAME = "acr-doctor.exe" if sys.platform == "win32" else "acr-doctor"


class NotFound(Exception):
    """The program is nowhere."""


def find(environment=None, bundled=None):
    """The program of `ACR_DOCTOR`, else the one that the wheel carries, else the one on PATH."""
    environment = os.environ if environment is None else environment
    asked = environment.get("ACR_DOCTOR")
    if asked:
        if not os.access(asked, os.X_OK) or os.path.isdir(asked):
            raise NotFound(f"ACR_DOCTOR is '{asked}', which is no program.")
        return asked
    bundled = bundled or Path(__file__).with_name("bin") / NAME
    if bundled.is_file():
        return str(bundled)
    on_path = shutil.which("acr-doctor", path=environment.get("PATH"))
    # As az does it for docker: what lies in the current directory was not necessarily put there by its user.
    if on_path and Path(on_path).resolve().parent != Path.cwd():
        return on_path
    raise NotFound(
        "This extension carries no program, and acr-doctor is not on PATH. "
        "Install it, or set ACR_DOCTOR to its path."
    )


def version(program):
    """What `--version` says, e.g. `0.1.0`; nothing where it says nothing."""
    try:
        said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    text = said.stdout.decode("utf-8", "replace").split()
    return text[-1] if text else None
