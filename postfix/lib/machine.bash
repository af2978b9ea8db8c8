# shellcheck shell=bash
# What a script does to the machine it runs on: Debian packages that lack, a Python, jobs that can be ended whole.
# The script that sources this defines `say` (progress) and `complain` (errors), and calls `clear_policy` when it ends.

policy=/usr/sbin/policy-rc.d
policy_is_ours=
job=

installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Print those of the packages $@ that are not installed, one per line.
missing_packages() {
    local package
    for package in "$@"; do
        installed "$package" || printf '%s\n' "$package"
    done
}

# Install the packages $@ without starting any service: a policy of ours says no while this runs.
add_packages() {
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    if [[ ! -e $policy ]]; then
        policy_is_ours=1
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    if ! apt-get install --simulate "$@" >/dev/null 2>&1; then
        say "updating the package lists"
        apt-get update --quiet
    fi
    if [[ " $* " == *" postfix "* ]]; then
        # Should it ever be started: no mail from or to the network.
        echo 'postfix postfix/main_mailer_type select Local only' | debconf-set-selections
    fi
    apt-get install --yes --quiet --no-install-recommends "$@" </dev/null
    clear_policy
}

clear_policy() {
    [[ -z $policy_is_ours ]] || rm -f "$policy"
    policy_is_ours=
}

# Make sure of the packages $@; without root, or Debian, go on with what there is.
prepare_machine() {
    local missing=()
    if ! command -v dpkg-query >/dev/null; then
        complain "not Debian: going on with what is installed (needed: $*)"
        return
    fi
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} == 0)); then
        return
    elif ((EUID == 0)); then
        add_packages "${missing[@]}"
    else
        complain "not root, so going on without these packages: ${missing[*]}"
    fi
}

# Print the Python to use. Debian's own python3 first, since that is what the program is for.
find_python() {
    local python
    for python in /usr/bin/python3 python3 python3.{11..20}; do
        if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
            >/dev/null 2>&1; then
            command -v "$python"
            return
        fi
    done
    complain "no python3 of version 3.11 or later with venv: install python3 and python3-venv"
    return 1
}

# Run the command $@ as a job, a process group of its own, and wait for it: Ctrl-C reaches only us.
run_job() {
    set -m
    "$@" </dev/null &
    job=$!
    set +m
    local status=0
    wait "$job" || status=$?
    job=
    return "$status"
}

# End the job, if one runs, with all its processes: each of three signals gets $1 seconds. Returns its exit code.
# Servers it started in other groups end by themselves once it is gone.
end_job() {
    local signal status=0 i
    [[ -n $job ]] || return 0
    for signal in INT TERM KILL; do
        kill "-$signal" -- "-$job" 2>/dev/null || break
        for ((i = 0; i < $1 * 10; i++)); do
            kill -0 -- "-$job" 2>/dev/null || break
            sleep 0.1
        done
    done
    wait "$job" 2>/dev/null || status=$?
    job=
    return "$status"
}
