# shellcheck shell=bash
# The steps of the installer, each announced, each doing nothing where all is done. Postfix itself is not
# touched here. A step that fails ends the installer with the reason.

install_packages() {
    local -a missing=()
    step 'Packages'
    [[ -n $database ]] || [[ $(configured database) != "postgresql:///$database_name" ]] || packages+=(postgresql)
    mapfile -t missing < <(missing_packages "${packages[@]}")
    if [[ ${#missing[@]} -eq 0 ]]; then say 'all there'; return; fi
    run apt-get update
    run env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

make_user() {
    step "User $user"
    if getent passwd "$user" >/dev/null; then
        say 'is there'
    elif command -v systemd-sysusers >/dev/null; then
        run systemd-sysusers "$source_dir/systemd/conversation-tracker.sysusers"
    else
        run adduser --system --group --no-create-home --home / --shell /usr/sbin/nologin "$user"
    fi
}

install_program() {
    step "Program in $prefix"
    [[ -x $prefix/bin/python3 ]] || run /usr/bin/python3 -m venv --system-site-packages "$prefix"
    # setuptools writes into the tree it builds from.
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    find "$source_dir" -maxdepth 1 \( -name milter -o -name setup.cfg -o -name pyproject.toml -o -name README.md \
        -o -name LICENSE \) -exec cp -R -t "$copy" {} +
    if ! run "$prefix/bin/pip" install --quiet --disable-pip-version-check "${copy}[fast]"; then
        say 'the compiled database driver is not to be had here; without it the tracker is slower'
        run "$prefix/bin/pip" install --quiet --disable-pip-version-check "$copy" \
            || fail 'the program could not be installed'
    fi
}

link_program() {
    [[ $(readlink "$root/usr/local/bin/conversation-tracker") == "$prefix/bin/conversation-tracker" ]] && return
    run install -d "$root/usr/local/bin"
    run ln -sfn "$prefix/bin/conversation-tracker" "$root/usr/local/bin/conversation-tracker"
}

install_manuals() {
    local page
    while IFS= read -r page; do
        put "$root/usr/local/share/man/man${page##*.}/${page##*/}" 0644 <"$page"
    done < <(find "$source_dir/docs" -name '*.[1578]' 2>/dev/null | sort)
}

write_configuration() {
    step 'Configuration'
    if [[ -e $config_file ]]; then
        say "$config_file: left as it is"
        [[ -z $database || $(configured database) == "$database" ]] \
            || fail "--database differs from what $config_file says: change it there"
        return
    fi
    URI=$database awk '/^database[ \t]*=/ && ENVIRON["URI"] != "" { print "database = " ENVIRON["URI"]; next } { print }' \
        "$source_dir/systemd/conversation-tracker.conf" | put "$config_file" 0640
    [[ -n $root ]] || run chown "root:$user" "$config_file"
}

# The socket is 0660; its group, by which Postfix may use it, comes from this directory.
make_socket_directory() {
    local socket directory
    socket=$(configured socket)
    [[ $socket == unix:/* ]] || return 0
    directory=$(dirname "${socket#unix:}")
    step "Socket directory $directory"
    if [[ -n $root ]]; then
        run install -d -m 2750 "$root$directory"
    elif [[ $(stat -c '%a %U %G' "$directory" 2>/dev/null) == "2750 $user postfix" ]]; then
        say 'as it should be'
    else
        run install -d -m 2750 -o "$user" -g postfix "$directory"
    fi
}

# Run SQL as PostgreSQL's administrator; $1 is the statement.
as_postgres() { (cd / && runuser -u postgres -- psql -X -v ON_ERROR_STOP=1 -qAt -d postgres -c "$1"); }

# Make what the query $1 does not find, with the statement $2.
unless_there() {
    local found=''
    [[ $dry_run == yes ]] || found=$(as_postgres "$1") || fail 'PostgreSQL does not answer: start it and run this again'
    [[ -z $found ]] || return 0
    printf '+ psql: %s\n' "$2"
    [[ $dry_run == yes ]] || as_postgres "$2"
}

make_database() {
    local role
    step 'Database'
    if [[ $(configured database) != "postgresql:///$database_name" || -n $database ]]; then
        say 'not on this host, or not ours: it must be there; its roles tracker_service, tracker_reader and'
        say 'tracker_integrator are made with the tables, if that may be'
        return
    fi
    unless_there "SELECT 1 FROM pg_roles WHERE rolname = '$user'" "CREATE ROLE \"$user\" LOGIN"
    for role in tracker_service tracker_reader tracker_integrator; do
        unless_there "SELECT 1 FROM pg_roles WHERE rolname = '$role'" "CREATE ROLE $role NOLOGIN"
    done
    unless_there "SELECT 1 WHERE pg_has_role('$user', 'tracker_service', 'MEMBER')" \
        "GRANT tracker_service TO \"$user\""
    unless_there "SELECT 1 FROM pg_database WHERE datname = '$database_name'" \
        "CREATE DATABASE $database_name OWNER \"$user\" ENCODING 'UTF8' TEMPLATE template0"
    # Of a statement that fails, the server's log would quote the row, with the address in it.
    unless_there "SELECT 1 FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
        WHERE datname = '$database_name' AND setrole = 0 AND 'log_error_verbosity=terse' = ANY (setconfig)" \
        "ALTER DATABASE $database_name SET log_error_verbosity TO terse"
}

# Run the program as its own user.
tracker() { (cd / && run runuser -u "$user" -- "$prefix/bin/conversation-tracker" "$@"); }

migrate() {
    step 'Tables'
    tracker migrate || fail 'the database could not be brought up to date'
}

install_units() {
    local unit socket
    step 'Units'
    socket=$(configured socket)
    [[ $socket == unix:/* ]] || socket=unix:/var/spool/postfix/conversation-tracker/milter.sock
    for unit in "${units[@]}"; do
        awk -v prefix="$prefix" -v directory="$(dirname "${socket#unix:}")" '
            /^ExecStart=/ { sub(/\/opt\/conversation-tracker/, prefix) }
            /^ReadWritePaths=/ { $0 = "ReadWritePaths=" directory }
            { print }' "$source_dir/systemd/$unit" | put "$root/etc/systemd/system/$unit" 0644
    done
}

start_service() {
    step 'Service'
    if [[ -d /run/systemd/system ]]; then
        run systemctl daemon-reload
        run systemctl enable --now conversation-tracker-expire.timer
        run systemctl enable conversation-tracker.service
        run systemctl restart conversation-tracker.service
        run systemctl enable conversation-tracker-follow.service
        run systemctl restart conversation-tracker-follow.service
    else
        say 'systemd does not run here. Start the service yourself, as the user conversation-tracker:'
        say "  runuser -u $user -- $prefix/bin/conversation-tracker serve"
        say "and once a day: runuser -u $user -- $prefix/bin/conversation-tracker expire"
        say "and, where it may read Postfix's log and write the file, beside the service:"
        say "  runuser -u $user -- $prefix/bin/conversation-tracker follow --state FILE"
    fi
}
