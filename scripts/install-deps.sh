#!/usr/bin/env bash
# Installs what is missing of the packages that a task needs, and nothing else.
#   scripts/install-deps.sh [build] [test] [sanitizers]
# Debian 12 and newer, Ubuntu 24.04 and newer; Fedora as a best effort. Runs as root or through sudo; with
# neither it prints the command that somebody has to run, and fails.
set -euo pipefail

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'install-deps: %s\n' "$*" >&2; exit 1; }

(($#)) || set -- build
for group in "$@"; do
    case $group in
        build | test | sanitizers) ;;
        -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; exit 0 ;;
        *) die "unknown group '$group' (build, test, sanitizers)" ;;
    esac
done
wants() { [[ " $groups " == *" $1 "* ]]; }
groups=$*

# How to become root here: directly, or through sudo when it can ask or need not.
if ((EUID == 0)); then
    become_root=()
elif command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
    become_root=(sudo)
else
    become_root=(false)
fi
need_root_for() {
    [[ ${become_root[*]-} != false ]] || die "packages are missing, and only root can install them. Please run, as root:
    $*
then start this again."
}

# A step that may take long: its output is kept back, and shown only when it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 || status=$?
    ((status == 0)) || cat "$log" >&2
    rm -f "$log"
    return "$status"
}

# A node of one's own (nvm, a vendor's package with npm in it) is as good as the distribution's.
node_is_usable() {
    command -v npm >/dev/null && command -v node >/dev/null &&
        node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)'
}

debian_packages() {
    if wants build; then
        echo cmake ninja-build g++ pkg-config ccache mold git ca-certificates
        echo libssl-dev libyaml-cpp-dev libspdlog-dev nlohmann-json3-dev libsimdjson-dev libcli11-dev
        echo libsdbus-c++-dev libsystemd-dev
        echo libgrpc++-dev protobuf-compiler-grpc protobuf-compiler libprotobuf-dev
        # Debian 12's default Boost is 1.74; 1.81 is there beside it, and the two exclude each other.
        case ${ID:-}:${VERSION_ID:-} in
            debian:12) echo libboost1.81-dev libboost-url1.81-dev ;;
            *) echo libboost-dev libboost-url-dev ;;
        esac
    fi
    if wants test; then
        echo libgtest-dev libgmock-dev python3 python3-venv
        echo curl dbus-daemon libglib2.0-bin python3-dbusmock faketime
        node_is_usable || echo nodejs npm
        # Ubuntu has it as a snap only: there the test in a browser is skipped.
        [[ ${ID:-} != debian ]] || echo chromium-headless-shell
    fi
    if wants sanitizers; then
        local version
        version=$(newest_clang)
        echo "clang-$version" "libclang-rt-$version-dev" "lld-$version" "llvm-$version" \
            "clang-tidy-$version" "clang-format-$version"
    fi
}

# A shell for the tests of the GNOME extension, about 140 MB. They are skipped where it cannot be had.
debian_desktop_packages() {
    ! wants test || echo gnome-shell gjs gettext libgl1-mesa-dri librsvg2-common adwaita-icon-theme fonts-cantarell
}

# 19 is what the presets name and the tree is formatted with; elsewhere the newest that there is.
newest_clang() {
    local names
    names=$(apt-cache pkgnames clang- 2>/dev/null | grep -E '^clang-[0-9]+$' | sort -t- -k2 -n) || true
    if [[ -z $names ]] || grep -qx clang-19 <<<"$names"; then
        echo 19
    else
        tail -n 1 <<<"$names" | cut -d- -f2
    fi
}

# Of the packages that it reads, those that are not installed, one a line.
missing_on_debian() {
    local package
    tr -s ' ' '\n' | while read -r package; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

apt_install() {
    # Nothing of the user's may be removed for our sake: apt says so and stops instead.
    quietly "${become_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends --no-remove "$@"
}

install_debian() {
    local missing desktop
    mapfile -t missing < <(debian_packages | missing_on_debian)
    mapfile -t desktop < <(debian_desktop_packages | missing_on_debian)
    ((${#missing[@]} + ${#desktop[@]})) || return 0
    say "installing $((${#missing[@]} + ${#desktop[@]})) packages: ${missing[*]} ${desktop[*]}"
    if ((${#missing[@]})); then
        need_root_for "apt-get update && apt-get install ${missing[*]}"
    elif [[ ${become_root[*]-} == false ]]; then
        say "only root can install ${desktop[*]}: the tests in a GNOME Shell will be skipped"
        return 0
    fi
    quietly "${become_root[@]}" apt-get update ||
        say "the package lists could not be refreshed; trying with what there is"
    ((${#missing[@]} == 0)) || apt_install "${missing[@]}" ||
        die "apt-get could not install them, see above"
    ((${#desktop[@]} == 0)) || apt_install "${desktop[@]}" ||
        say "the tests in a GNOME Shell will be skipped: its packages could not be installed, see above"
}

fedora_packages() {
    if wants build; then
        echo cmake ninja-build gcc-c++ pkgconf-pkg-config ccache mold git-core
        echo boost-devel openssl-devel yaml-cpp-devel spdlog-devel json-devel simdjson-devel cli11-devel
        echo sdbus-cpp-devel systemd-devel
        echo grpc-devel grpc-plugins protobuf-devel protobuf-compiler
    fi
    if wants test; then
        echo gtest-devel gmock-devel python3 curl dbus-daemon glib2 python3-dbusmock libfaketime
        node_is_usable || echo nodejs nodejs-npm
    fi
    ! wants sanitizers || echo clang compiler-rt lld llvm clang-tools-extra
}

install_fedora() {
    local missing=() package packages
    packages=$(fedora_packages)
    for package in $packages; do
        rpm -q --quiet --whatprovides "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    say "installing ${#missing[@]} packages (on Fedora as a best effort): ${missing[*]}"
    need_root_for "dnf install ${missing[*]}"
    quietly "${become_root[@]}" dnf install --assumeyes --setopt=install_weak_deps=False "${missing[@]}" ||
        die "dnf could not install them, see above"
}

# shellcheck source=/dev/null
[[ ! -r /etc/os-release ]] || . /etc/os-release
if command -v apt-get >/dev/null; then
    install_debian
elif command -v dnf >/dev/null; then
    install_fedora
else
    say "no apt-get and no dnf here: the packages have to be there already (scripts/install-deps.sh lists them)"
fi
