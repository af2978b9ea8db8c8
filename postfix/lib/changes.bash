# shellcheck shell=bash
# The list of changes: collected first, shown, then made, and taken back if anything fails on the way.
# Everything goes through postconf. main.cf is written in one step, last: Postfix's daemons read it whenever
# they start, so no half of it may ever be seen.

declare -a main_changes=() service_changes=() option_changes=() removed_services=()
declare -A file_changes=()
declare -a removed_files=() unset_parameters=()
changes=0

say() { printf '%s\n' "configure: $*"; }
warn() { printf '%s\n' "configure: WARNING: $*" >&2; }

# Show a change of $1 from $2 to $3.
shown() {
    changes=$((changes + 1))
    printf '%s: %s -> %s\n' "$1" "${2:-(empty)}" "${3:-(empty)}"
}

# Print the main.cf parameter $1 as it is written.
main_cf() { postconf -c "$config_dir" -h "$1" 2>/dev/null; }
# Print the parameter $1 with the names in it expanded.
expanded() { postconf -c "$config_dir" -xh "$1" 2>/dev/null; }
# Print the services $@ (all, without) of master.cf, one per line.
services() { postconf -c "$config_dir" -M "$@" 2>/dev/null; }

# Print the list $1 as main.cf has it; a default that comes to nothing is empty, however it is written.
list_of() {
    local set
    set=$(postconf -c "$config_dir" -n "$1" 2>/dev/null)
    if [[ -n $set || -n $(expanded "$1") ]]; then main_cf "$1"; fi
}

# Print the parameter settings (-o) of the services $@ as `service/type/parameter = value`; names expanded.
overrides() { postconf -c "$config_dir" -Px "$@" 2>/dev/null; }

# Have the main.cf parameter $1 say $2.
want() {
    [[ $(main_cf "$1") == "$2" ]] || set_main "$1" "$(main_cf "$1")" "$2"
}

# Collect the change of the main.cf parameter $1 from $2 to $3.
set_main() {
    shown "$@"
    main_changes+=("$1=$3")
}

# Have main.cf not name the parameter $1.
want_unset() {
    [[ -n $(postconf -c "$config_dir" -n "$1" 2>/dev/null) ]] || return 0
    shown "$1" "$(main_cf "$1")" '(not set)'
    unset_parameters+=("$1")
}

# Have the main.cf list $1 hold the entries after it, in this order. Only the entries count, not how they are set out.
want_list() {
    local name=$1 new
    shift
    new=$(joined $'\n' "$@")
    [[ $(entries "$(list_of "$name")") == "$new" ]] || set_main "$name" "$(list_of "$name")" "$(joined ', ' "$@")"
}

# Have master.cf hold the service $1 (name/type) with the fields $2 (after name and type, up to the command) and
# the parameters after it (parameter=value). What an existing entry says besides is left to its administrator.
want_service() {
    local service=$1 fields=$2 line option old
    shift 2
    line=$(services "$service")
    if [[ -z $line ]]; then
        line="${service%/*} ${service##*/} $fields $(printf -- '-o %s ' "$@")"
        shown "$service" '(none)' "${line% }"
        service_changes+=("$service=${line% }")
        return
    fi
    for option in "$@"; do want_option "$service/${option%%=*}" "${option#*=}"; done
}

# Have the service parameter $1 (name/type/parameter) say $2.
want_option() {
    local old
    old=$(postconf -c "$config_dir" -P "$1" 2>/dev/null)
    [[ $old != "$1 = $2" && ! ( -z $2 && $old == "$1 =" ) ]] || return 0
    old=${old#"$1 ="}
    shown "$1" "${old# }" "$2"
    option_changes+=("$1=$2")
}

# Have master.cf not hold the service $1 (name/type).
want_no_service() {
    [[ -n $(services "$1") ]] || return 0
    shown "$1" "$(services "$1" | tr -s ' ')" '(none)'
    removed_services+=("$1")
}

# Have the file $1 hold the text $2.
want_file() {
    local old='(none)'
    if [[ -e $1 ]]; then
        old='(other text)'
        [[ $(<"$1") != "$2" ]] || return 0
    fi
    shown "$1" "$old" $'the lines\n'"$(grep -v '^#' <<<"$2")"
    file_changes[$1]=$2
}

# Have the file $1 not exist.
want_no_file() {
    [[ -e $1 ]] || return 0
    shown "$1" '(ours)' '(none)'
    removed_files+=("$1")
}

# Make the collected changes. Any failure ends the script, and `taken_back` runs.
make_changes() {
    local path
    copied_before
    for path in "${!file_changes[@]}"; do
        printf '%s\n' "${file_changes[$path]}" >"$path.new"
        chmod 0644 "$path.new"
        mv -f "$path.new" "$path"
    done
    edit -M "${service_changes[@]}"
    edit -P "${option_changes[@]}"
    edit -MX "${removed_services[@]}"
    edit -e "${main_changes[@]}"
    edit -X "${unset_parameters[@]}"
    # Only now does nothing in main.cf name them any more.
    for path in "${removed_files[@]}"; do rm -f "$path"; done
}

# Run postconf with the mode $1 on the arguments after it, if there are any.
edit() {
    local mode=$1
    shift
    [[ $# -eq 0 ]] || postconf -c "$config_dir" "$mode" "$@" 2>/dev/null \
        || { refuse "postconf $mode failed in $config_dir"; return 1; }
}

# Keep copies of all that may change; a file that is not there yet is remembered by having no copy.
copied_before() {
    local path
    mkdir "$scratch/before"
    for path in "${our_files[@]}" "$config_dir/main.cf" "$config_dir/master.cf"; do
        [[ ! -e $path ]] || cp -p "$path" "$scratch/before/"
    done
    written=yes
}

# Put everything back as it was before the changes.
taken_back() {
    local path copy
    for path in "${our_files[@]}" "$config_dir/main.cf" "$config_dir/master.cf"; do
        copy=$scratch/before/${path##*/}
        rm -f "$path.new"
        if [[ ! -e $copy ]]; then
            rm -f "$path"
        else
            cp -p "$copy" "$path.new" && mv -f "$path.new" "$path"
        fi
    done
    printf '%s\n' "configure: everything in $config_dir is as it was before" >&2
}
