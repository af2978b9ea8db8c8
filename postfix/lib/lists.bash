# shellcheck shell=bash
# Reading Postfix's values: lists, milter addresses, tables. Nothing here changes anything.
# A table that cannot be asked is a failure of the caller (return 2), never "no such entry".

# Print the entries of the list $1, one per line; what stands in braces is one entry.
entries() {
    local value=$1 entry='' depth=0 char i
    for ((i = 0; i < ${#value}; i++)); do
        char=${value:i:1}
        case $char in
            '{') depth=$((depth + 1)) ;;
            '}') depth=$((depth - 1)) ;;
        esac
        if [[ $depth -eq 0 && $char == [,[:space:]] ]]; then
            [[ -z $entry ]] || printf '%s\n' "$entry"
            entry=''
        else
            entry+=$char
        fi
    done
    [[ -z $entry ]] || printf '%s\n' "$entry"
}

# Print the arguments after $1 with the separator $1 between them.
joined() {
    local separator=$1 text=${2-} part
    shift; [[ $# -eq 0 ]] || shift
    for part in "$@"; do text+=$separator$part; done
    printf '%s' "$text"
}

# True if $1 is one of the other arguments.
among() {
    local wanted=$1 candidate
    shift
    for candidate in "$@"; do [[ $candidate != "$wanted" ]] || return 0; done
    return 1
}

# Print $1 so that a POSIX regular expression between slashes means it literally.
literal() {
    local text=$1 out='' char i
    for ((i = 0; i < ${#text}; i++)); do
        char=${text:i:1}
        [[ $char =~ [[:alnum:]_-] ]] || out+="\\"
        out+=$char
    done
    printf '%s' "$out"
}

# Print the seconds of a Postfix time value such as 30, 30s, 5m, 2h.
seconds() {
    local number=${1%[smhdw]}
    case $1 in
        *m) number=$((number * 60)) ;;
        *h) number=$((number * 3600)) ;;
        *d) number=$((number * 86400)) ;;
        *w) number=$((number * 604800)) ;;
    esac
    printf '%s' "$number"
}

# Print the address of a milter as Postfix wants it. $1: unix:/path, unix:path, local:path, inet:PORT@HOST
# or inet:HOST:PORT. A socket under the queue directory is named relative to it: Postfix's daemons
# run there, chrooted or not, so that this one form is right for both. Returns 1 if $1 is none of these.
milter_address() {
    local path host
    [[ ! $1 =~ [[:space:],{}$] ]] || return 1
    case $1 in
        unix:?* | local:?*)
            path=${1#*:}
            [[ $path != "$queue_directory"/* ]] || path=${path#"$queue_directory"/}
            printf 'unix:%s' "$path" ;;
        inet:*@?*)
            [[ ${1%%@*} =~ ^inet:[0-9]+$ ]] || return 1
            host=${1#*@}
            [[ $host != *:* || $host == \[* ]] || host="[$host]"
            printf 'inet:%s:%s' "$host" "$(port_of "${1%%@*}")" ;;
        inet:?*:?*) printf '%s' "$1" ;;
        *) return 1 ;;
    esac
}

# Print what stands after the last colon of $1.
port_of() { printf '%s' "${1##*:}"; }

# Print the address of the milter that the list entry $1 names, its settings in braces left out.
endpoint() {
    local entry=$1
    if [[ $entry == '{'* ]]; then
        entry=${entry#'{'}
        entry=$(entries "${entry%'}'}")
        entry=${entry%%$'\n'*}
    fi
    milter_address "$entry" || printf '%s' "$entry"
}

# Print the addresses of the milters in the list $1, one per line.
endpoints() {
    local entry
    while IFS= read -r entry; do
        printf '%s\n' "$(endpoint "$entry")"
    done < <(entries "$1")
}

# True if entry $1 has a default action of its own that is not tempfail.
passes_on_failure() {
    [[ $1 == *default_action* && ! $1 =~ default_action[[:space:]]*=[[:space:]]*tempfail ]]
}

# Ask the table $1 for the key $2 and print its answer. Returns 1 if it has none, 2 if it cannot be
# asked (its complaint is then printed instead). `proxy:` is left out: its server may not be running.
answer() {
    local table=${1#proxy:} out complaint status=0
    complaint=$scratch/complaint
    out=$(postmap -c "$config_dir" -q "$2" "$table" 2>"$complaint") || status=$?
    printf '%s' "$out"
    [[ $status -eq 0 ]] && return 0
    grep -qE '(fatal|error|warning): ' "$complaint" || return 1
    cat "$complaint"
    return 2
}

# Look for the keys after $1 in the list $1 of names, tables and files, as Postfix does for a list of domains.
# Print the entry that has one of them. Returns 1 if none has, 2 if a table cannot be asked.
holder() {
    local list=$1 entry key said status
    shift
    while IFS= read -r entry; do
        for key in "$@"; do
            status=0
            case $entry in
                !*) continue ;;
                /*) [[ -r $entry ]] || { printf 'cannot read %s' "$entry"; return 2; }
                    holder "$(grep -v '^[[:space:]]*#' "$entry")" "$key" >/dev/null || status=$? ;;
                *:*) said=$(answer "$entry" "$key") || status=$? ;;
                *) [[ ${entry,,} == "$key" ]] || status=1 ;;
            esac
            case $status in
                0) printf '%s' "$entry"; return 0 ;;
                2) printf '%s' "${said-$entry}"; return 2 ;;
            esac
        done
    done < <(entries "$list")
    return 1
}
