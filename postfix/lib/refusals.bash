# shellcheck shell=bash
# The states in which mail would pass Postfix unmasked, or not at all. All are looked for, all are named at once,
# each with what to do. Nothing here changes anything.

refusals=0

refuse() {
    refusals=$((refusals + 1))
    printf '%s\n' "configure: refused: $*" >&2
}

# What can be seen before anything is written.
look_before() {
    look_at_listener
    look_at_macros
    look_at_main
    look_at_socket
    look_at_domains
    look_at_rewriting
    look_at_services
    look_at_cleanup
}

# What must hold afterwards, asked of Postfix's own tools.
look_after() {
    local domain
    local -a now=()
    mapfile -t now < <(endpoints "$(expanded smtpd_milters)")
    among "$milter" "${now[@]}" || refuse "smtpd_milters does not hold $milter"
    look_at_order "${now[@]}"
    [[ $(expanded milter_default_action) == tempfail ]] \
        || refuse "milter_default_action is not tempfail: when the tracker fails, mail would pass unmasked"
    [[ $(expanded tracker-split_destination_recipient_limit) == 1 ]] \
        || refuse 'tracker-split_destination_recipient_limit is not 1: recipients would share one copy'
    look_at_service tracker-split/unix "${transport_options[@]}"
    look_at_service "$listener/inet" "${listener_options[@]}"
    for domain in "${domains[@]}"; do
        look_at_route "$domain"
        look_at_received "$domain"
    done
    look_at_forged
}

# Print two addresses, one a hard and one a soft alias of domain $1, and the domains they are in.
probes() {
    printf '%s\n' "00000000000040008000000000000000@$1" "probe@example.com-000000000000b.$1" "$1" "000000000000b.$1"
}

look_at_listener() {
    local service=$listener/inet
    [[ $listener =~ ^127\.[0-9.]+:[0-9]+$ ]] \
        || refuse "--listener $listener: it must be a loopback address (127.0.0.1:PORT), for this host only"
    if [[ -n $(services "$service") && $service != "$old_listener" ]]; then
        refuse "master.cf has another service at $listener: name a free port with --listener"
    fi
    [[ $(expanded inet_protocols) != ipv6 ]] \
        || refuse 'inet_protocols is ipv6: the listener needs 127.0.0.1; set it to all'
}

# The tracker decides by these what a client may do.
look_at_macros() {
    local pair parameter macro
    for pair in 'milter_connect_macros {daemon_name}' 'milter_mail_macros {auth_authen}' 'milter_mail_macros {auth_type}'; do
        read -r parameter macro <<<"$pair"
        [[ " $(expanded "$parameter" | tr , ' ') " == *" $macro "* ]] \
            || refuse "$parameter does not hold $macro, by which the tracker knows who sends: add it"
    done
    [[ $(expanded milter_macro_daemon_name) != tracker-split ]] \
        || refuse 'milter_macro_daemon_name is tracker-split in main.cf: that name belongs to the listener alone'
}

look_at_main() {
    local parameter
    [[ " $(expanded receive_override_options | tr , ' ') " != *' no_milters '* ]] \
        || refuse 'receive_override_options in main.cf has no_milters: remove it'
    for parameter in smtpd_milter_maps smtpd_proxy_filter; do
        [[ -z $(expanded "$parameter") ]] || among "$parameter" "${exempt[@]}" \
            || refuse "$parameter is set in main.cf: mail it applies to is not seen by the tracker;" \
                "remove it, or say --exempt $parameter when no mail of the store's own systems is meant"
    done
}

# A chrooted smtpd sees nothing outside the queue directory.
look_at_socket() {
    local path=${milter#unix:} service
    [[ $milter == unix:* ]] || return 0
    if [[ $path == /* ]]; then
        while IFS= read -r service; do
            chrooted "$service" && refuse "the socket $path is outside $queue_directory," \
                "where the chrooted service $service cannot reach it: put it under $queue_directory"
        done < <(smtpd_services)
        return 0
    fi
    [[ -S $queue_directory/$path ]] \
        || warn "there is no socket at $queue_directory/$path now: until the tracker runs, mail gets 451"
}

# True if the service $1 runs chrooted.
chrooted() {
    local level
    case $(postconf -c "$config_dir" -Fh "$1/chroot" 2>/dev/null) in
        n) return 1 ;;
        y) return 0 ;;
    esac
    level=$(expanded compatibility_level)
    [[ ${level%%.*} == 0 ]]
}

# An alias domain that Postfix takes for something else never gets to the splitter.
look_at_domains() {
    local domain other parameter entry status
    for domain in "${domains[@]}"; do
        for other in "${domains[@]}"; do
            [[ $domain != *".$other" ]] || refuse "alias domain $domain is inside alias domain $other"
        done
        for parameter in mydestination virtual_alias_domains virtual_mailbox_domains; do
            status=0
            entry=$(holder "$(expanded "$parameter")" "$domain" "000000000000b.$domain") || status=$?
            case $status in
                0) refuse "alias domain $domain is also in $parameter ($entry):" \
                    "its mail would be delivered there, not masked; take it out" ;;
                2) refuse "$parameter cannot be looked into for $domain: $entry" ;;
            esac
        done
    done
}

# Maps that would change an alias, or an address under an alias domain, before or after the tracker has seen it.
look_at_rewriting() {
    local parameter table key said domain status
    for domain in "${domains[@]}"; do
        while IFS= read -r table; do
            [[ $table != '!'* && .$domain == *".${table#.}" ]] || continue
            refuse "masquerade_domains has $table, which would cut $domain out of addresses: put !$domain before it"
            break
        done < <(entries "$(expanded masquerade_domains)")
        for parameter in virtual_alias_maps canonical_maps recipient_canonical_maps sender_canonical_maps; do
            while IFS= read -r table; do
                for key in $(probes "$domain"); do
                    status=0
                    said=$(answer "$table" "@${key##*@}") || status=$?
                    [[ $status -ne 1 || $key != *@* ]] || { status=0; said=$(answer "$table" "$key") || status=$?; }
                    case $status in
                        0) refuse "$parameter: $table changes addresses in ${key##*@}: exclude the alias domain there" ;;
                        2) refuse "$parameter: $table cannot be asked: $said" ;;
                    esac
                    [[ $status -eq 1 ]] || break
                done
            done < <(entries "$(expanded "$parameter")")
        done
    done
}

# A service may have settings of its own that leave the tracker out.
look_at_services() {
    local service name value
    while IFS= read -r service; do
        among "$service" "${exempt[@]}" && continue
        look_at_way_back "$service" && continue
        while IFS=' ' read -r name _ value; do
            case ${name##*/} in
                smtpd_milters) look_at_override "$service" "$value" ;;
                receive_override_options) [[ ",${value//[[:space:]]/,}," != *,no_milters,* ]] \
                    || bypass "$service" 'has receive_override_options with no_milters: take no_milters out' ;;
                smtpd_proxy_filter | smtpd_milter_maps) [[ -z $value ]] \
                    || bypass "$service" "has ${name##*/}=$value, which keeps messages from the tracker: remove it" ;;
                milter_default_action) [[ $value == tempfail ]] \
                    || bypass "$service" "has milter_default_action=$value: remove it" ;;
                milter_macro_daemon_name) [[ $value != tracker-split ]] \
                    || refuse "service $service has the listener's milter_macro_daemon_name: remove it" ;;
            esac
        done < <(overrides "$service")
    done < <(smtpd_services)
}

# True if the service $1 is where a content filter hands mail back on this host. With the tracker there, what passed
# it before is a loop, and what did not counts as mail of this host, trusted. The same goes for a proxy (XFORWARD).
look_at_way_back() {
    local filtered=no
    on_loopback "$1" || return 1
    [[ -z $(overrides "$1/content_filter") || -n $(value_of "$1" content_filter) ]] || filtered=yes
    [[ $filtered == yes || -n $(value_of "$1" smtpd_authorized_xforward_hosts) ]] || return 1
    meets_us "$1" || { [[ $filtered == yes ]]; return; }
    refuse "service $1 takes mail back from a content filter or proxy on this host, and would show it to the tracker as" \
        "mail of this host, trusted: add no_milters to its receive_override_options, and let the tracker see mail where" \
        "clients connect; or --exempt $1"
}

# True if mail that comes in at the service $1 will meet the tracker.
meets_us() {
    local -a there=()
    [[ " $(value_of "$1" receive_override_options | tr , ' ') " != *' no_milters '* ]] || return 1
    [[ -n $(overrides "$1/smtpd_milters") ]] || return 0
    mapfile -t there < <(endpoints "$(value_of "$1" smtpd_milters)")
    among "$milter" "${there[@]}" || among "$1" "${own_services[@]}"
}

# $1: a service with smtpd_milters of its own, $2.
look_at_override() {
    local -a there=()
    mapfile -t there < <(endpoints "$2")
    among "$milter" "${there[@]}" && return 0
    among "$1" "${own_services[@]}" && return 0
    bypass "$1" "has smtpd_milters of its own (${2:-empty}) without the tracker: say --service $1 to add it there"
}

# A way past the tracker: $1 the service, $2 how, and what to do. On a loopback address it is a content filter's way
# back in, as a rule: its mail has been at the tracker, or comes to the splitter.
bypass() {
    if on_loopback "$1"; then
        warn "service $1 $2 - unless only a content filter hands mail in there, and no system of the store itself"
    else
        refuse "service $1 $2, or --exempt $1 when no mail of the store's own systems enters there"
    fi
}

# True if the service $1 listens on a loopback address, by its name.
on_loopback() { [[ $1 == 127.* || $1 == localhost:* || $1 == '[::1]:'* ]]; }

# Print the value of the parameter $2 that holds for the service $1.
value_of() {
    if [[ -n $(overrides "$1/$2") ]]; then
        overrides "$1/$2" | sed 's/^[^=]*= *//'
    else
        expanded "$2"
    fi
}

# A cleanup service with header checks of its own does not make ours.
look_at_cleanup() {
    local name value
    while IFS=' ' read -r name _ value; do
        [[ " ${value//,/ } " == *" regexp:$header_file "* ]] \
            || warn "service ${name%/header_checks} has header_checks of its own: put regexp:$header_file first there," \
                'or Received tells the address of clients whose mail it takes'
    done < <(overrides '*/*/header_checks')
}

# What signs before the tracker signs what is then rewritten. The arguments are the milters there are.
look_at_order() {
    [[ -n $signer ]] || return 0
    while [[ $# -gt 0 && $1 != "$milter" && $1 != "$signer" ]]; do shift; done
    [[ ${1-} != "$milter" || ${2-} != "$signer" ]] || return 0
    refuse "smtpd_milters does not have $milter right before the signer $signer: name each on its own in that list"
}

# $1: a service of ours; then the parameters it must have.
look_at_service() {
    local service=$1 option
    shift
    [[ -n $(services "$service") ]] || { refuse "master.cf has no service $service"; return 0; }
    for option in "$@"; do
        [[ $(postconf -c "$config_dir" -Ph "$service/${option%%=*}" 2>/dev/null) == "${option#*=}" ]] \
            || refuse "service $service does not have $option"
    done
}

# The first table of transport_maps that answers for an address decides where it goes.
look_at_route() {
    local probe table said status
    holder "$(expanded relay_domains)" "$1" >/dev/null || refuse "relay_domains does not hold $1"
    for probe in $(probes "$1" | grep @); do
        while IFS= read -r table; do
            status=0
            said=$(answer "$table" "$probe") || status=$?
            [[ $status -ne 1 ]] || continue
            [[ $status -eq 0 && $said == "tracker-split:[${listener%:*}]:$(port_of "$listener")" ]] \
                || refuse "transport_maps: $table sends mail for $1 elsewhere: $said"
            continue 2
        done < <(entries "$(expanded transport_maps)")
        refuse "transport_maps has nothing for $1"
    done
}

# The first table of header_checks that knows the verifier's results must be the one that removes them.
look_at_forged() {
    local table said status
    [[ -n $authserv_id ]] || return 0
    while IFS= read -r table; do
        status=0
        said=$(answer "$table" "Authentication-Results: $authserv_id; dkim=pass header.d=client.example") || status=$?
        [[ $status -ne 1 ]] || continue
        [[ $said == IGNORE ]] || refuse "header_checks: $table leaves what strangers write in the name of $authserv_id: $said"
        return 0
    done < <(entries "$(expanded header_checks)")
    refuse "header_checks has nothing for what strangers write in the name of $authserv_id"
}

# The first table of header_checks that knows this host's Received header must be the one that reduces it.
look_at_received() {
    local table said status name
    name=$(expanded mail_name)
    while IFS= read -r table; do
        status=0
        said=$(answer "$table" "Received: from client.example (client.example [192.0.2.1]) by $(expanded myhostname) \
($name) with ESMTP id 4ABC for <probe@$1>; Thu, 1 Jan 1970 00:00:00 +0000 (UTC)") || status=$?
        [[ $status -ne 1 ]] || continue
        [[ $said == "REPLACE Received: by $(expanded myhostname) ($name) id 4ABC; Thu, 1 Jan 1970 00:00:00 +0000 (UTC)" ]] \
            || refuse "header_checks: $table leaves the client's address in Received of mail for $1: $said"
        return 0
    done < <(entries "$(expanded header_checks)")
    refuse "header_checks has nothing for Received of mail for $1"
}
