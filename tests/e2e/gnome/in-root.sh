#!/usr/bin/env bash
# Runs a command of another distribution's tree, with FOLDER at the same place there; everything ends with it.
#   in-root.sh ROOT FOLDER COMMAND...      as root
set -euo pipefail
root=$1 folder=$2
shift 2
# shellcheck disable=SC2016  # the inner shell's variables
exec unshare --mount --pid --fork --kill-child bash -euc '
    root=$1 folder=$2
    shift 2
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t sysfs sysfs "$root/sys"
    mkdir -p "$root$folder" "$root/run/systemd/seats"
    mount --bind "$folder" "$root$folder"
    exec chroot "$root" "$@"' bash "$root" "$folder" "$@"
