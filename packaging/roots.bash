# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034  # what the scripts that source this share with it
# Fresh roots of Debian releases, entered and booted by systemd-nspawn. Each is unpacked from a cached tar file and is
# gone at the end. The script that sources this defines `say` and `complain`, and calls `end_roots` when it ends.

cache=${CONVERSATION_TRACKER_ROOTS:-/var/cache/conversation-tracker}
mirror=${CONVERSATION_TRACKER_MIRROR:-http://deb.debian.org/debian}
security=${CONVERSATION_TRACKER_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
root_tools=(mmdebstrap systemd-container procps util-linux)
roots=()
containers=()
clean=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive)

# Make the cached root of the release $1, if there is none: the smallest Debian that boots.
make_base() {
    local release=$1 file=$cache/roots/$1.tar
    [[ ! -s $file ]] || return 0
    say "$release: making its root (kept in $cache)"
    mkdir -p "$cache/roots"
    mmdebstrap --quiet --variant=minbase --format=tar --include=systemd-sysv,dbus,ca-certificates \
        --aptopt='Acquire::Languages "none"' "$release" "$file.new" \
        "deb $mirror $release main" "deb $mirror $release-updates main" "deb $security $release-security main"
    mv "$file.new" "$file"
}

# Unpack a fresh root of the release $1, and set $root to its directory.
unpack_root() {
    root=$(mktemp -d "$cache/root-$1-XXXXXX")
    roots+=("$root")
    chmod 755 "$root"
    mkdir -p "$cache/packages/$1/partial"
    tar --numeric-owner -C "$root" -xf "$cache/roots/$1.tar"
    # apt leaves what it downloads in the cache of all roots; two may be at work at once.
    cat >"$root/etc/apt/apt.conf.d/90cache" <<'END'
Binary::apt::APT::Keep-Downloaded-Packages "true";
APT::Sandbox::User "root";
Debug::NoLocking "true";
END
    echo "$1" >"$root/etc/release-name"
}

# Run the command $@ in $root, which is not booted.
in_root() {
    systemd-nspawn --quiet --register=no --keep-unit --suppress-sync=yes --as-pid2 --pipe --directory="$root" \
        --bind="$cache/packages/$(<"$root/etc/release-name"):/var/cache/apt/archives" \
        "${clean[@]}" "$@" </dev/null 2> >(grep -v '^Attempted to remove disk file system' >&2)
}

# Run the command $2... in the directory $1 of $root, which is not booted and has a network of its own. It may write
# synchronously: where that is suppressed, a table of LMDB cannot be opened.
in_private_root() {
    local directory=$1
    shift
    systemd-nspawn --quiet --register=no --keep-unit --as-pid2 --pipe --private-network \
        --directory="$root" --chdir="$directory" "${clean[@]}" "$@" </dev/null
}

# Boot $root, with a network of its own, and wait until it is up; `in_boot` then runs commands in it.
boot_root() {
    local i
    # In the cgroups of version 2, where the host's are of version 1 too: systemd 257 knows no other.
    UNIFIED_CGROUP_HIERARCHY=1 systemd-nspawn --quiet --register=no --keep-unit --suppress-sync=yes --boot --private-network \
        --console=read-only --directory="$root" \
        --bind="$cache/packages/$(<"$root/etc/release-name"):/var/cache/apt/archives" \
        >"$root.console" 2>&1 </dev/null &
    container=$!
    containers+=("$container")
    for ((i = 0; i < 600; i++)); do
        leader=$(pgrep -P "$container" | head -n 1) || leader=
        if [[ -n $leader ]] && in_boot systemctl is-system-running 2>/dev/null | grep -Eq 'running|degraded'; then
            return 0
        fi
        kill -0 "$container" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 40 "$root.console" >&2
    complain "$root does not boot"
    return 1
}

# Run the command $@ in the booted root.
in_boot() {
    nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd "${clean[@]}" "$@"
}

# End the booted root at once, with all that runs in it.
halt_root() {
    end_container "$container"
    containers=()
}

# The first process of a container takes all others with it.
end_container() {
    local first
    for first in $(pgrep -P "$1"); do
        kill -KILL "$first" 2>/dev/null || true
    done
    wait "$1" 2>/dev/null || true
}

end_roots() {
    local each
    for each in "${containers[@]}"; do
        end_container "$each"
    done
    for each in "${roots[@]}"; do
        rm -rf --one-file-system "$each" "$each.console"
    done
}
