# shellcheck shell=bash
# What Postfix is told, and why. The fragments main.cf and master.cf say the same for those who do it by hand.

# The splitter's way out: an SMTP client that hands each recipient's copy to the listener unchanged. What main.cf may
# say for mail to the outside world (fallback, credentials, header checks, line folding) must not touch it.
transport_options=(
    syslog_name=postfix/tracker-split
    smtp_bind_address=127.0.0.1
    smtp_fallback_relay=
    smtp_sasl_auth_enable=no
    smtp_tls_security_level=none
    smtp_tls_policy_maps=
    smtp_send_xforward_command=no
    smtp_generic_maps=
    smtp_header_checks=
    smtp_mime_header_checks=
    smtp_nested_header_checks=
    smtp_body_checks=
    smtp_line_length_limit=0
    smtp_discard_ehlo_keywords=
    smtp_discard_ehlo_keyword_address_maps=
    disable_mime_output_conversion=yes
)

# The splitter's way in: takes mail for our own domains from this host only, believes nothing about it, and has the
# milters that its second pass needs. The checks of the first pass are not made again.
listener_options=(
    syslog_name=postfix/tracker-split
    milter_macro_daemon_name=tracker-split
    smtpd_milters=
    smtpd_milter_maps=
    milter_default_action=tempfail
    receive_override_options=no_unknown_recipient_checks
    content_filter=
    smtpd_proxy_filter=
    local_header_rewrite_clients=
    mynetworks=127.0.0.0/8
    smtpd_client_restrictions=permit_mynetworks,reject
    smtpd_helo_restrictions=
    smtpd_sender_restrictions=
    smtpd_relay_restrictions=permit_auth_destination,reject
    smtpd_recipient_restrictions=permit_auth_destination,reject
    smtpd_data_restrictions=
    smtpd_end_of_data_restrictions=
    smtpd_sasl_auth_enable=no
    smtpd_tls_security_level=none
    smtpd_upstream_proxy_protocol=
    smtpd_authorized_xforward_hosts=
    smtpd_authorized_xclient_hosts=
    smtpd_discard_ehlo_keywords=
    smtpd_discard_ehlo_keyword_address_maps=
    smtpd_error_sleep_time=0
    smtpd_soft_error_limit=1001
    smtpd_hard_error_limit=1000
    smtpd_client_event_limit_exceptions=127.0.0.0/8
)

# Print the names (name/type) of the services that take SMTP from clients, the splitter's listener left out.
smtpd_services() {
    local name type command
    while read -r name type _ _ _ _ _ command _; do
        [[ $command == smtpd && ( $type == inet || $type == pass ) ]] || continue
        among "$name/$type" "$listener/inet" "$old_listener" || printf '%s/%s\n' "$name" "$type"
    done < <(services)
}

# Print the chroot field of the first service that runs the program $1, so that ours runs where that one does.
chroot_of() {
    local field
    field=$(services | awk -v program="$1" '$8 == program { print $5; exit }')
    printf '%s' "${field:--}"
}

# Print the milter list $1, one entry per line, with ours in it: after the verifiers and right before the
# signer; where no signer is named and ours is already in the list, it stays where it is.
placed() {
    local current=$1 entry ours=$milter_entry done=no
    local -a all=() out=()
    mapfile -t all < <(entries "$current")
    for entry in "${all[@]}"; do
        # Settings of its own stay, but not one that lets mail pass, nor a path that a chrooted smtpd cannot see.
        [[ -z $ours || $(endpoint "$entry") != "$milter" || $entry != *"$milter"* ]] \
            || passes_on_failure "$entry" || ours=$entry
    done
    for entry in "${all[@]}"; do
        case $(endpoint "$entry") in
            "$milter" | "$old_milter")
                [[ -z $signer && $done == no && -n $ours ]] || continue
                out+=("$ours"); done=yes ;;
            "$signer")
                [[ $done == yes || -z $ours ]] || out+=("$ours")
                out+=("$entry"); done=yes ;;
            *) out+=("$entry") ;;
        esac
    done
    [[ $done == yes || -z $ours ]] || out+=("$ours" ${signer:+"$signer"})
    [[ ${#out[@]} -eq 0 ]] || printf '%s\n' "${out[@]}"
}

# The regular expression table that sends the alias domains to the splitter.
transport_table() {
    local domain
    cat <<'END'
# Mail to the alias domains goes to the splitter, which makes one copy for each recipient.
# Written by postfix/configure. A regular expression answers for the whole address: in transport_maps, an entry for
# a whole address or a deeper domain in any other table would otherwise come before one for the domain here.
END
    for domain in "${domains[@]}"; do
        printf '/^(.*[@.])?%s$/  tracker-split:[%s]:%s\n' \
            "$(literal "$domain")" "${listener%:*}" "$(port_of "$listener")"
    done
}

# Print the alias domains that an earlier run wrote into the transport table.
known_domains() {
    [[ -e $transport_file ]] || return 0
    awk '/^\/\^\(/ { sub(/^.*\)\?/, ""); sub(/\$\/ .*$/, ""); gsub(/\\/, ""); print }' "$transport_file"
}

# Print the name whose Authentication-Results an earlier run has Postfix remove.
known_authserv_id() {
    [[ -e $header_file ]] || return 0
    awk '/^\/\^Authentication-Results/ { sub(/^.*"\?/, ""); sub(/\(.*$/, ""); gsub(/\\/, ""); print; exit }' "$header_file"
}

# The header checks that take HELO and address of the sending host out of this host's own Received header.
header_table() {
    local domain host hosts='' line
    hosts=$(literal "$(expanded myhostname)")
    while IFS= read -r line; do
        host=$(literal "${line#*= }")
        [[ "|$hosts|" == *"|$host|"* ]] || hosts+="|$host"
    done < <(overrides '*/*/myhostname')
    cat <<'END'
# The Received header that this host itself adds to mail for one alias names the host that sent it; no milter can see
# or change that header. Written by postfix/configure; run it again when myhostname or mail_name changes.
END
    [[ -z $authserv_id ]] || forged_line
    echo '# Who gets mail for a postmaster must see where it came from.'
    for domain in "${domains[@]}"; do
        printf '/^Received: from [^<]*for <(postmaster|abuse)@%s\.?>;/  DUNNO\n' "$(literal "$domain")"
    done
    for domain in "${domains[@]}"; do
        printf '/^Received: from .*[[:space:]]by (%s) \\(%s\\) with [[:alnum:]]+ id ([[:alnum:]]+)[[:space:]]+' \
            "$hosts" "$(literal "$(expanded mail_name)")"
        printf 'for <[^>]*[@.]%s\\.?>;[[:space:]]*([^[:space:]].*)$/  ' "$(literal "$domain")"
        # shellcheck disable=SC2016  # what the expression caught
        printf 'REPLACE Received: by $1 (%s) id $2; $3\n' "$(expanded mail_name)"
    done
}

# Print the header check for what a stranger writes in the verifier's name. Header checks see what clients send, not
# what milters add.
forged_line() {
    cat <<'END'
# What a client writes in the name of this host's own verifiers; see authserv_id in the tracker's configuration.
END
    printf '/^Authentication-Results[[:space:]]*:[[:space:]]*"?%s([^.[:alnum:]-]|$)/  IGNORE\n' "$(literal "$authserv_id")"
}

# Collect every change that the tracker needs.
want_all() {
    local -a list=()
    want_file "$transport_file" "$(transport_table)"
    want_file "$header_file" "$(header_table)"
    [[ -z $old_listener || $old_listener == "$listener/inet" ]] || want_no_service "$old_listener"
    want_service tracker-split/unix "- - $(chroot_of smtp) - 20 smtp" "${transport_options[@]}"
    listener_options=("${listener_options[@]/#smtpd_milters=/smtpd_milters=$milter${signer:+,$signer}}")
    want_service "$listener/inet" "n - $(chroot_of smtpd) - - smtpd" "${listener_options[@]}"
    want_in_services
    if ! among "$milter" "${literal_milters[@]}" && among "$milter" "${expanded_milters[@]}"; then
        say "smtpd_milters: the tracker is in it by way of another parameter; left as it is"
    else
        mapfile -t list < <(placed "$(list_of smtpd_milters)")
        want_list smtpd_milters "${list[@]}"
    fi
    want milter_default_action tempfail
    want milter_protocol 6
    want_at_least milter_connect_timeout 30s
    want_at_least milter_command_timeout 30s
    want_at_least milter_content_timeout 300s
    want_first transport_maps "regexp:$transport_file"
    want_first header_checks "regexp:$header_file"
    want tracker-split_destination_recipient_limit 1
    want_domains
    want_no_smuggling
}

# A service with milters of its own gets ours among them where --service names it.
want_in_services() {
    local service
    local -a list=()
    for service in "${own_services[@]}"; do
        mapfile -t list < <(placed "$(postconf -c "$config_dir" -Ph "$service/smtpd_milters" 2>/dev/null)")
        want_option "$service/smtpd_milters" "$(joined , "${list[@]}")"
    done
}

# Put the table $2 at the front of the list $1: what comes first decides.
want_first() {
    local entry
    local -a list=("$2")
    while IFS= read -r entry; do
        [[ $entry == "$2" ]] || list+=("$entry")
    done < <(entries "$(list_of "$1")")
    want_list "$1" "${list[@]}"
}

# Never wait less than $2 for a milter in the timeout $1; a longer one is the administrator's choice.
want_at_least() {
    local now
    now=$(expanded "$1")
    (($(seconds "$now") >= $(seconds "$2"))) || want "$1" "$2"
}

# Have Postfix take mail for the alias domains, every recipient of which only the milter knows.
want_domains() {
    local domain
    local -a list=()
    mapfile -t list < <(entries "$(list_of relay_domains)")
    for domain in "${domains[@]}"; do
        among "$domain" "${list[@]}" || list+=("$domain")
        [[ " $(expanded parent_domain_matches_subdomains | tr , ' ') " == *' relay_domains '* ]] \
            || among ".$domain" "${list[@]}" || list+=(".$domain")
    done
    want_list relay_domains "${list[@]}"
    # Without a list Postfix takes every recipient in relay_domains; with one, only those it finds there.
    mapfile -t list < <(entries "$(list_of relay_recipient_maps)")
    [[ ${#list[@]} -eq 0 ]] || among "regexp:$transport_file" "${list[@]}" || list+=("regexp:$transport_file")
    want_list relay_recipient_maps "${list[@]}"
}

# Have Postfix end a message where the milter sees it end (LF.LF), for every client; an older Postfix cannot.
want_no_smuggling() {
    [[ -n $(postconf -d smtpd_forbid_bare_newline 2>/dev/null) ]] || return 0
    among "$(expanded smtpd_forbid_bare_newline)" normalize yes reject || want smtpd_forbid_bare_newline normalize
    want smtpd_forbid_bare_newline_exclusions ''
}

# Collect every change that takes the tracker out again.
want_none() {
    local entry name
    local -a list=()
    milter_entry=''
    mapfile -t list < <(placed "$(list_of smtpd_milters)")
    want_list smtpd_milters "${list[@]}"
    mapfile -t own_services < <(overrides '*/*/smtpd_milters' | sed 's,/smtpd_milters = .*,,')
    for name in "${!own_services[@]}"; do
        [[ ${own_services[name]} != "$old_listener" ]] || unset "own_services[$name]"
    done
    want_in_services
    for name in transport_maps header_checks relay_recipient_maps relay_domains; do
        list=()
        while IFS= read -r entry; do
            among "$entry" "regexp:$transport_file" "regexp:$header_file" && continue
            [[ $name != relay_domains ]] || ! among "${entry#.}" "${domains[@]}" || continue
            list+=("$entry")
        done < <(entries "$(list_of "$name")")
        want_list "$name" "${list[@]}"
    done
    want_unset tracker-split_destination_recipient_limit
    [[ -z $old_listener ]] || want_no_service "$old_listener"
    want_no_service tracker-split/unix
    want_no_file "$transport_file"
    want_no_file "$header_file"
}
