# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034  # what the scripts that source this share with it
# The life of the package in one root: bare, set up, upgraded with mail flowing, removed, purged.
# Uses $package, $older_package and what roots.bash has.

program=/usr/bin/conversation-tracker
conffile=/etc/conversation-tracker/conversation-tracker.conf
source_of_trial=$source_dir/packaging/trial.py

fail() {
    complain "$release: $1"
    exit 1
}

trial() { in_boot /usr/bin/python3 -IB /root/trial.py "$@"; }

# Print what of Postfix's configuration only conversation-tracker-setup may change.
sum_postfix() { in_boot sha256sum /etc/postfix/main.cf /etc/postfix/master.cf; }

# Run the command $@ in the booted root; what it prints is shown only if it fails.
quietly() {
    local said
    said=$(in_boot "$@" 2>&1 </dev/null) || {
        printf '%s\n' "$said" >&2
        fail "failed: $*"
    }
}

# All packages that are needed later, into the cache: the booted root has no network.
fetch_packages() {
    in_root apt-get update -q >/dev/null
    in_root apt-get install -q -y --download-only /root/older.deb postfix postgresql >/dev/null
    in_root apt-get install -q -y --download-only --no-install-recommends zsh fish man-db >/dev/null
}

install_bare() {
    say "$release: installs where there is neither PostgreSQL nor Postfix"
    in_root apt-get install -q -y --no-install-recommends /root/package.deb >"$root.log" 2>&1 || {
        cat "$root.log" >&2
        fail 'the package cannot be installed on a bare host'
    }
    rm "$root.log"
    [[ $(in_root "$program" --version) == conversation-tracker* ]] || fail 'the program does not run'
    [[ $(in_root stat -c '%a %U %G' "$conffile") == '640 root conversation-tracker' ]] ||
        fail 'others may read the configuration'
    if in_root conversation-tracker-setup --alias-domain ct.example.com >/dev/null 2>&1; then
        fail 'conversation-tracker-setup does not say what lacks'
    fi
    in_root dpkg --purge conversation-tracker >/dev/null 2>&1 || fail 'the package cannot be purged'
    ! in_root test -e /etc/conversation-tracker || fail 'purge leaves /etc/conversation-tracker'
}

install_stopped() {
    say "$release: installs where PostgreSQL and Postfix are stopped; the question answered before"
    quietly apt-get install -q -y postfix postgresql
    quietly systemctl stop postfix postgresql
    quietly debconf-set-selections /root/answers
    quietly apt-get install -q -y /root/older.deb
    in_boot grep -qx ct.example.com /etc/conversation-tracker/alias-domain || fail 'the answer is not noted'
    ! in_boot systemctl is-enabled --quiet conversation-tracker 2>/dev/null || fail 'the service is enabled unasked'
    quietly systemctl start postgresql postfix
    start_relay
}

start_relay() {
    trial host || fail 'Postfix cannot be told where mail goes'
    quietly systemd-run --quiet --unit=trial-relay /usr/bin/python3 -IB /root/trial.py relay
}

set_up() {
    say "$release: conversation-tracker-setup, and the first mail"
    local before
    before=$(sum_postfix)
    quietly conversation-tracker-setup --dry-run
    [[ $before == "$(sum_postfix)" ]] || fail 'a dry run changed Postfix'
    quietly conversation-tracker-setup
    [[ $before != "$(sum_postfix)" ]] || fail 'Postfix was not set up'
    quietly runuser -u conversation-tracker -- psql conversation_tracker -c "
        INSERT INTO tracker.stores (name, alias_domain, sender_domains)
        VALUES ('mystore', 'ct.example.com', '{store.example.com}')"
    sleep 2
    see_it_work
}

see_it_work() {
    trial first >&2 || fail 'the first mail was not as it should be'
    quietly runuser -u conversation-tracker -- conversation-tracker check
    look_at_units
}

look_at_units() {
    local unit
    for unit in conversation-tracker.service conversation-tracker-follow.service conversation-tracker-publish.service \
        conversation-tracker-expire.timer; do
        quietly systemctl is-active "$unit"
        quietly systemctl is-enabled "$unit"
    done
    for unit in conversation-tracker conversation-tracker-follow conversation-tracker-publish conversation-tracker-expire; do
        quietly systemd-analyze security --threshold=15 "$unit.service"
    done
    quietly systemctl start conversation-tracker-expire.service
    quietly systemctl reload conversation-tracker.service
    look_at_page
}

# An instance of the web page, set up as docs/web.md says: ready, open to its group alone, and gone when told.
look_at_page() {
    local name=conversation-tracker-web@trial.service socket=/run/conversation-tracker/web-trial.sock
    quietly runuser -u postgres -- psql conversation_tracker -v ON_ERROR_STOP=1 \
        -c 'CREATE ROLE "conversation-tracker-web" LOGIN IN ROLE tracker_reader' \
        -c "SELECT tracker.grant_store('conversation-tracker-web', 'mystore')"
    printf '%s\n' '[tracker]' 'database = postgresql:///conversation_tracker' 'socket = unix:/run/none.sock' \
        '[web]' "listen = unix:$socket" >"$root/etc/conversation-tracker/web-trial.conf"
    quietly chown conversation-tracker-web /etc/conversation-tracker/web-trial.conf
    quietly chmod 400 /etc/conversation-tracker/web-trial.conf
    quietly systemctl start "$name"
    quietly systemd-analyze security --threshold=15 "$name"
    [[ $(in_boot stat -c '%a %G' "$socket") == '660 conversation-tracker-web' ]] || fail 'the page is open to others'
    quietly /usr/bin/python3 -IBc "
import socket
page = socket.socket(socket.AF_UNIX)
page.connect('$socket')
page.sendall(b'GET /orders/mystore/1001 HTTP/1.0\r\n\r\n')
assert page.recv(100).startswith(b'HTTP/1.1 200 ')"
    quietly systemctl reload "$name"
    quietly systemctl stop "$name"
    ! in_boot test -e "$socket" || fail 'the page leaves its socket'
    quietly rm /etc/conversation-tracker/web-trial.conf
    quietly runuser -u postgres -- psql conversation_tracker -v ON_ERROR_STOP=1 \
        -c 'DROP OWNED BY "conversation-tracker-web"' -c 'DROP ROLE "conversation-tracker-web"'
}

# What is on the package's pages can be done: manuals, completion, the demonstration.
look_at_pages() {
    say "$release: manuals, completion, demonstration"
    quietly apt-get install -q -y --no-install-recommends zsh fish man-db
    quietly man conversation-tracker conversation-tracker-explain conversation-tracker.conf conversation-tracker-setup
    trial zsh || fail 'zsh completes nothing'
    [[ $(in_boot fish -c "complete -C 'conversation-tracker time'") == timeline* ]] || fail 'fish completes nothing'
    [[ $(in_boot fish -c "complete -C 'conversation-tracker-setup --alias'") == --alias-domain* ]] ||
        fail 'fish completes no command but the program'
    # shellcheck disable=SC2016  # the inner shell's own variables
    [[ $(in_boot bash -c '. /usr/share/bash-completion/completions/conversation-tracker; COMP_WORDS=(conversation-tracker t)
        COMP_CWORD=1; _conversation_tracker; echo "${COMPREPLY[*]}"') == timeline ]] || fail 'bash completes nothing'
    quietly /usr/share/conversation-tracker/postfix/demo
}

# Mail flows while the command $@ is run.
while_mail_flows() {
    local status=0
    in_boot rm -f /var/lib/trial/stop
    trial flow &
    local flow=$!
    sleep 5
    "$@"
    sleep 5
    in_boot touch /var/lib/trial/stop
    wait "$flow" || status=$?
    ((status == 0)) || fail 'mail did not flow'
    trial count >&2 || fail 'mail that flowed was not received as it should be'
}

upgrade() {
    quietly apt-get install -q -y /root/package.deb
}

# Print the process that serves.
ask_serving() { in_boot systemctl show --property=MainPID --value conversation-tracker.service; }

change() {
    say "$release: upgrades while mail flows"
    local before served
    before=$(sum_postfix)
    served=$(ask_serving)
    in_boot sh -c "echo '; mine' >>$conffile"
    quietly touch -d 2020-01-01 /usr/lib/systemd/system/conversation-tracker.service
    quietly systemctl daemon-reload
    while_mail_flows upgrade
    [[ $served != "$(ask_serving)" ]] || fail 'the old version serves after the upgrade'
    [[ $(in_boot systemctl show --property=NeedDaemonReload --value 'conversation-tracker*') != *yes* ]] ||
        fail 'systemd knows the units of before only'
    [[ $before == "$(sum_postfix)" ]] || fail 'the upgrade changed Postfix'
    in_boot grep -qx '; mine' "$conffile" || fail "the upgrade took the administrator's configuration"
    in_boot grep -qx ct.example.com /etc/conversation-tracker/alias-domain || fail 'the upgrade forgot the alias domain'
    look_at_units
    say "$release: upgrades while the database is away"
    served=$(ask_serving)
    quietly systemctl stop postgresql
    quietly dpkg -i /root/older.deb
    [[ $served == "$(ask_serving)" ]] || fail 'the version of before was stopped though the tables are as they were'
    quietly systemctl start postgresql
    upgrade
    [[ $served != "$(ask_serving)" ]] || fail 'the old version serves after the second upgrade'
    trial again >&2 || fail 'no mail passes after an upgrade without the database'
}

remove() {
    say "$release: is taken out of Postfix, removed, installed again and purged"
    quietly conversation-tracker-setup --remove
    [[ -z $(in_boot postconf -h smtpd_milters) ]] || fail 'Postfix still asks the tracker'
    local before
    before=$(sum_postfix)
    quietly apt-get remove -q -y conversation-tracker
    ! in_boot systemctl is-active --quiet conversation-tracker || fail 'the service outlives the package'
    in_boot test -e "$conffile" || fail 'remove took the configuration'
    quietly apt-get install -q -y /root/package.deb
    in_boot grep -qx '; mine' "$conffile" || fail 'the configuration of before is not used'
    quietly apt-get purge -q -y conversation-tracker
    [[ $before == "$(sum_postfix)" ]] || fail 'removal or purge changed Postfix'
    look_at_what_is_left
}

# After the purge nothing of the package is left but the user and the database.
look_at_what_is_left() {
    local left
    left=$(in_boot find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /var/cache \
        -o -path /var/log -o -path /root -o -path /var/lib/trial -o -path /tmp -o -path '/var/lib/postgresql' \) -prune \
        -o -name '*conversation?tracker*' -print)
    [[ -z $left ]] || fail "purge leaves: $left"
    quietly getent passwd conversation-tracker
    quietly runuser -u postgres -- psql -d conversation_tracker -c 'SELECT count(*) FROM tracker.messages'
}

# A fresh root of the release $1 with the packages in it, not booted.
prepare_root() {
    unpack_root "$1"
    cp "$package" "$root/root/package.deb"
    cp "$older_package" "$root/root/older.deb"
    cp "$source_of_trial" "$root/root/trial.py"
    echo 'conversation-tracker conversation-tracker/alias-domain string ct.example.com' >"$root/root/answers"
    fetch_packages
}

live() {
    local release=$1 root
    prepare_root "$release"
    install_bare
    boot_root
    install_stopped
    set_up
    look_at_pages
    change
    remove
    halt_root
    say "$release: holds"
}
