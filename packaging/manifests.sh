#!/usr/bin/env bash
# The Homebrew formula and the winget manifests of a release, from its version, its address and its checksums.
#   packaging/manifests.sh VERSION BASE_URL SHA256SUMS DIRECTORY
# SHA256SUMS is what `sha256sum acr-doctor-*` printed; BASE_URL is where those files are.
set -euo pipefail

[ $# -eq 4 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
version=${1#v} base=${2%/} sums=$3 directory=$4

[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || { echo "'$version' is no version" >&2; exit 2; }

# The checksum of a release's file; a file that the list does not have ends the script.
sum() {
  local sum
  sum=$(awk -v name="$1" '{ file = $2; sub(/^\*/, "", file); if (file == name) print tolower($1) }' "$sums")
  [[ $sum =~ ^[0-9a-f]{64}$ ]] || { echo "$sums has no checksum of $1" >&2; exit 1; }
  echo "$sum"
}

archive() { echo "acr-doctor-$version-$1"; }

linux_arm=$(archive aarch64-unknown-linux-musl.tar.gz) linux_x64=$(archive x86_64-unknown-linux-musl.tar.gz)
mac_arm=$(archive aarch64-apple-darwin.tar.gz) mac_x64=$(archive x86_64-apple-darwin.tar.gz)
windows=$(archive x86_64-pc-windows-msvc.zip)
# One a line: of several on a line only the last one's failure would end the script.
linux_arm_sum=$(sum "$linux_arm")
linux_x64_sum=$(sum "$linux_x64")
mac_arm_sum=$(sum "$mac_arm")
mac_x64_sum=$(sum "$mac_x64")
windows_sum=$(sum "$windows")

mkdir -p "$directory/homebrew" "$directory/winget"

cat >"$directory/homebrew/acr-doctor.rb" <<FORMULA
class AcrDoctor < Formula
  desc "Says why an Azure container registry cannot be reached from here"
  homepage "${base%/releases/*}"
  version "$version"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "$base/$mac_arm"
      sha256 "$mac_arm_sum"
    end
    on_intel do
      url "$base/$mac_x64"
      sha256 "$mac_x64_sum"
    end
  end

  on_linux do
    on_arm do
      url "$base/$linux_arm"
      sha256 "$linux_arm_sum"
    end
    on_intel do
      url "$base/$linux_x64"
      sha256 "$linux_x64_sum"
    end
  end

  def install
    bin.install "acr-doctor"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/acr-doctor.bash" => "acr-doctor"
    zsh_completion.install "completions/_acr-doctor"
    fish_completion.install "completions/acr-doctor.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/acr-doctor --version")
    assert_match "dns/name-not-found", shell_output("#{bin}/acr-doctor explain 'no such host myreg.azurecr.io'")
  end
end
FORMULA

winget() { printf '# yaml-language-server: $schema=https://aka.ms/winget-manifest.%s.1.6.0.schema.json\n\n' "$1"; cat; }
identity="PackageIdentifier: AcrDoctor.AcrDoctor
PackageVersion: $version"

winget version >"$directory/winget/AcrDoctor.AcrDoctor.yaml" <<MANIFEST
$identity
DefaultLocale: en-US
ManifestType: version
ManifestVersion: 1.6.0
MANIFEST

winget installer >"$directory/winget/AcrDoctor.AcrDoctor.installer.yaml" <<MANIFEST
$identity
InstallerType: zip
NestedInstallerType: portable
NestedInstallerFiles:
- RelativeFilePath: acr-doctor.exe
  PortableCommandAlias: acr-doctor
Installers:
- Architecture: x64
  InstallerUrl: $base/$windows
  InstallerSha256: ${windows_sum^^}
ManifestType: installer
ManifestVersion: 1.6.0
MANIFEST

winget defaultLocale >"$directory/winget/AcrDoctor.AcrDoctor.locale.en-US.yaml" <<MANIFEST
$identity
PackageLocale: en-US
Publisher: acr-doctor
PackageName: acr-doctor
License: MIT OR Apache-2.0
ShortDescription: Says why an Azure container registry cannot be reached from here, and proves it with both sides of the story.
ManifestType: defaultLocale
ManifestVersion: 1.6.0
MANIFEST
