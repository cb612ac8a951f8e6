#!/usr/bin/env bash
# Installs the GNOME integration for you alone, below your home folder: the Quick Settings extension with its settings
# schema, a desktop entry, systemd user units, and the files that let D-Bus start the daemon.
#   scripts/install-gnome-integration.sh              installs, or brings up to date
#   scripts/install-gnome-integration.sh --uninstall  removes it again
#   --dry-run          only says what would be done
#   --shell VERSION    for this version of GNOME Shell instead of the one that is installed
#   --binary FILE      the daemon; otherwise ollama-proxy of your PATH, else the one in build/release
# It may be run as often as you like. Your settings stay in both cases.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

uuid=ollamaproxy@anthropic.com
app=ie.fio.ollamaproxy
services=(Efficiency Backends Routing Thermal SystemState)

dry_run=false uninstall=false shell='' binary=''
while (($#)); do
    case $1 in
        --dry-run) dry_run=true ;;
        --uninstall) uninstall=true ;;
        --shell | --binary)
            (($# > 1)) || die "$1 needs a value (see --help)"
            [[ $1 == --shell ]] && shell=$2 || binary=$2
            shift
            ;;
        -h | --help)
            print_help
            exit
            ;;
        *) die "unknown argument '$1' (see --help)" ;;
    esac
    shift
done

[[ -z ${SUDO_USER:-} ]] || die "run it as yourself, without sudo: it installs into your own home folder"
[[ -n ${HOME:-} ]] || die "HOME is not set"
data=${XDG_DATA_HOME:-$HOME/.local/share}
extension=$data/gnome-shell/extensions/$uuid
schemas=$data/glib-2.0/schemas
# Single files; the extension is a folder.
files=("$data/applications/$app.desktop" "$data/icons/hicolor/symbolic/apps/$app-symbolic.svg"
    "$schemas/$app.gschema.xml" "$data/systemd/user/$app.service" "$data/systemd/user/$app.socket")
for service in "${services[@]}"; do
    files+=("$data/dbus-1/services/ie.fio.OllamaProxy.$service.service")
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
changes=0

# did PAST VERB WHAT: tells of a change, which a dry run only would make.
did() {
    changes=$((changes + 1))
    if $dry_run; then echo "would $2 $3"; else echo "$1 $3"; fi
}

# put TARGET: installs what it reads, unless it is there already. Not behind a pipe: a subshell's count is lost.
put() {
    local target=$1
    cat >"$scratch/file"
    if cmp -s "$scratch/file" "$target"; then return; fi
    did installed install "$target"
    $dry_run || install -D -m 644 "$scratch/file" "$target"
}

# drop_empty FOLDER: removes it and those around it that are empty then, below the data folder.
drop_empty() { (cd "$data" && rmdir --parents "${1#"$data"/}" 2>/dev/null) || true; }

# take TARGET: removes it where it is, and folders that it leaves empty.
take() {
    [[ -e $1 ]] || return 0
    did removed remove "$1"
    $dry_run && return
    rm -rf "$1"
    drop_empty "$(dirname "$1")"
}

# The compiled schemas of this folder hold other programs' too.
compile_schemas() {
    $dry_run && return
    if compgen -G "$schemas/*.xml" >/dev/null; then
        glib-compile-schemas "$schemas"
    elif [[ -e $schemas/gschemas.compiled ]]; then
        rm "$schemas/gschemas.compiled"
        drop_empty "$schemas"
    fi
}

has_user_manager() { command -v systemctl >/dev/null && systemctl --user show-environment >/dev/null 2>&1; }

reload_units() {
    if ! $dry_run && has_user_manager; then systemctl --user daemon-reload; fi
}

if $uninstall; then
    if has_user_manager; then
        for unit in "$app.socket" "$app.service"; do
            if systemctl --user is-enabled --quiet "$unit" 2>/dev/null || systemctl --user is-active --quiet "$unit"; then
                did stopped stop "$unit"
                $dry_run || systemctl --user disable --now "$unit"
            fi
        done
    fi
    if [[ -e $extension ]] && ! $dry_run && command -v gnome-extensions >/dev/null; then
        timeout 20 gnome-extensions disable "$uuid" 2>/dev/null || true # no shell runs, or it does not know it
    fi
    for file in "$extension" "${files[@]}"; do take "$file"; done
    if ((changes == 0)); then
        echo "nothing of it is installed"
        exit
    fi
    command -v glib-compile-schemas >/dev/null && compile_schemas
    reload_units
    $dry_run || echo "Your settings are kept; 'dconf reset -f /ie/fio/ollamaproxy/' forgets them."
    exit
fi

command -v python3 >/dev/null || die "python3 is missing, which puts the extension together"
command -v glib-compile-schemas >/dev/null ||
    die "glib-compile-schemas is missing (package libglib2.0-bin, or glib2-devel): the shell needs the compiled schema"
if [[ -z $shell ]]; then
    command -v gnome-shell >/dev/null || die "GNOME Shell is not installed here; --shell VERSION says which one it is for"
    shell=$(gnome-shell --version | grep -oE '[0-9]+(\.[0-9]+)*' | head -n 1)
fi
[[ $shell =~ ^[0-9]+ ]] || die "'$shell' is no version of GNOME Shell"
((BASH_REMATCH[0] >= 43)) || die "GNOME Shell $shell is too old: the extension needs 43 or later"
if [[ -z $binary ]]; then
    binary=$(command -v ollama-proxy || true)
    [[ -n $binary ]] || binary=$root/build/release/ollama-proxy
fi
[[ -x $binary && ! -d $binary ]] || die "no daemon at $binary: build it (scripts/run.sh does), or name it with --binary"
binary=$(realpath "$binary")
[[ $binary != *[[:space:]\"\'\\%\$\|\&]* ]] || die "the daemon's path has characters that units cannot hold: $binary"

"$root/gnome-extension/pack.py" --shell "$shell" --into "$scratch/extension"
if ! diff -rq "$scratch/extension" "$extension" >/dev/null 2>&1; then
    did installed install "$extension"
    if ! $dry_run; then
        mkdir -p "$(dirname "$extension")"
        rm -rf "$extension"
        cp -r "$scratch/extension" "$extension"
    fi
fi

put "$schemas/$app.gschema.xml" <"$root/gnome-extension/schemas/$app.gschema.xml"
put "$data/applications/$app.desktop" <"$root/gnome-extension/$app.desktop"
put "$data/icons/hicolor/symbolic/apps/$app-symbolic.svg" <"$root/gnome-extension/icons/ollamaproxy-auto-symbolic.svg"
type=notify
systemd=$(systemctl --version 2>/dev/null | grep -oE -m 1 '[0-9]+' | head -n 1 || true)
((${systemd:-0} < 253)) || type=notify-reload
reload=''
[[ $type = notify ]] || reload='/^ExecReload=/d' # systemd sends the signal itself then
sed -e "s|@CMAKE_INSTALL_FULL_BINDIR@/ollama-proxy|$binary|" -e "s|^Type=notify$|Type=$type|" -e "$reload" \
    "$root/systemd/$app.service.in" >"$scratch/unit"
put "$data/systemd/user/$app.service" <"$scratch/unit"
put "$data/systemd/user/$app.socket" <"$root/systemd/$app.socket"
for service in "${services[@]}"; do
    sed -e "s|@name@|ie.fio.OllamaProxy.$service|" -e "s|@CMAKE_INSTALL_FULL_BINDIR@/ollama-proxy|$binary|" \
        "$root/systemd/dbus-activation.service.in" >"$scratch/unit"
    put "$data/dbus-1/services/ie.fio.OllamaProxy.$service.service" <"$scratch/unit"
done
if ((changes == 0)); then
    echo "everything is installed already, for GNOME Shell $shell"
else
    compile_schemas
    reload_units
fi
$dry_run && exit

cat <<TEXT

Next:
  1. Start the daemon, now and at every login:
       systemctl --user enable --now $app.service
  2. GNOME Shell $shell finds a new or changed extension when it starts:
     on Wayland log out and in again, on X11 press Alt+F2 and enter r.
  3. Then turn it on:
       gnome-extensions enable $uuid
TEXT
