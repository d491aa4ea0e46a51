#!/usr/bin/env bash
# What `make test-hosts` needs on Debian: melt and Blender from its own packages, and a folder with Debian unstable in
# which a Kdenlive runs that reads OTIO.
#   set_up.sh FOLDER
set -euo pipefail
root=$1
kdenlive=(
    kdenlive melt frei0r-plugins xvfb xauth xkb-data x11-xkb-utils libgl1-mesa-dri xdotool wmctrl openbox imagemagick breeze
    # Without these parts of its interface Kdenlive ends with a segmentation fault.
    qml6-module-org-kde-desktop qml6-module-org-kde-kirigami
    qml6-module-qtquick-{controls,layouts,window,templates}
)

refuse() {
    echo "test-hosts $1" >&2
    exit 1
}

missing=()
for tool in melt blender mmdebstrap; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
[[ ${#missing[@]} -eq 0 && -e $root/.set-up ]] && exit
command -v apt-get >/dev/null || refuse "needs Debian, for Blender, melt and a Kdenlive in a folder of its own"
[[ $(id -u) -eq 0 ]] || refuse "needs root to install melt, Blender and mmdebstrap and to enter a folder with Kdenlive"
export DEBIAN_FRONTEND=noninteractive
if ((${#missing[@]})); then
    apt-get update -q
    apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
[[ -e $root/.set-up ]] && exit

# The mirror that this machine uses already.
mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "Debian" { print $2; exit }')
[[ $mirror ]] || refuse "finds no Debian mirror among apt's sources"
rm -rf "$root"
mkdir -p "$(dirname "$root")"
mmdebstrap --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --include=ca-certificates,dbus,dbus-daemon sid "$root" "$mirror"
chroot "$root" apt-get update -q
chroot "$root" apt-get install -y -q --no-install-recommends "${kdenlive[@]}"
touch "$root/.set-up"
