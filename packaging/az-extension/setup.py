"""The wheel of `az extension add --source acr_doctor-*.whl`.

ACR_DOCTOR_BINARY   the program to carry; without it the wheel is for every platform and looks for the program
ACR_DOCTOR_PLATFORM the platform that this program is for, as wheels name it, e.g. manylinux2014_x86_64.musllinux_1_1_x86_64
"""

import json
import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel

PACKAGE = "azext_acr_doctor"
HERE = Path(__file__).parent
BINARY = os.environ.get("ACR_DOCTOR_BINARY")
PLATFORM = os.environ.get("ACR_DOCTOR_PLATFORM")
if bool(BINARY) != bool(PLATFORM):
    raise SystemExit("ACR_DOCTOR_BINARY and ACR_DOCTOR_PLATFORM belong together")


class BuildWithProgram(build_py):
    """Puts the program beside the modules."""

    def run(self):
        # A former build's program must not get into this wheel.
        shutil.rmtree(Path(self.build_lib, PACKAGE, "bin"), ignore_errors=True)
        super().run()
        if BINARY:
            name = "acr-doctor.exe" if PLATFORM.startswith("win") else "acr-doctor"
            target = Path(self.build_lib, PACKAGE, "bin", name)
            target.parent.mkdir(parents=True)
            shutil.copyfile(BINARY, target)
            target.chmod(0o755)


class WheelOfPlatform(bdist_wheel):
    """Names the platform of the program, not that of the Python that builds.

    The wheel stays a pure one otherwise: az looks for the package at its root.
    """

    def get_tag(self):
        return "py3", "none", PLATFORM or "any"


setup(
    name="acr-doctor",
    version=json.loads((HERE / PACKAGE / "commands.json").read_text(encoding="utf-8"))["version"],
    description="Says why an Azure container registry cannot be reached from here",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT OR Apache-2.0",
    python_requires=">=3.8",
    packages=[PACKAGE],
    package_data={PACKAGE: ["azext_metadata.json", "commands.json"]},
    cmdclass={"build_py": BuildWithProgram, "bdist_wheel": WheelOfPlatform},
)
