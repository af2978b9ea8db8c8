# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034  # what the scripts that source this share with it
# The suite in one root: the tests of this source tree, against the installed package and Debian's own versions.
# Uses $package, $source_dir and what roots.bash has.

# What the tests need beside the package; the programs they start among it.
needed=(postfix postgresql pgbouncer gcc libc6-dev libmilter-dev python3-dev python3-venv swaks opendkim opendkim-tools
    groff-base gnupg procps prometheus python3-dkim git postfix-cdb postfix-ldap postfix-lmdb postfix-mysql postfix-pcre
    postfix-pgsql postfix-sqlite php-cli php-pgsql nodejs node-pg chromium)
# Debian 12's hypothesis is too old for the tests; these are tools of the tests, nothing that the program uses.
test_tools=(pytest pytest-timeout pytest-xdist hypothesis playwright axe-playwright-python)
tested=(tests/unit tests/database tests/milter tests/postfix tests/web)
# They build the program out of the source tree with pip, which the package has no use for; lint, which is the host's.
passed_over=(tests/postfix/test_demo.py)

# Fetch the test tools on the host, for a root of the release $1 that has no way to an index.
fetch_test_tools() {
    local -A pythons=([bookworm]=3.11 [trixie]=3.13)
    [[ -d $built/venv ]] || "$(find_python)" -m venv "$built/venv"
    "$built/venv/bin/pip" download --quiet --only-binary=:all: --python-version "${pythons[$1]}" --dest "$root/srv/wheels" \
        "${test_tools[@]}" \
        2>"$built/pip" || { cat "$built/pip" >&2; fail 'the test tools cannot be fetched'; }
}

# Run the tests, or those that ${chosen[@]} names, in a root of the release $1.
run_suite() {
    local release=$1 root
    say "$release: the suite, against Debian's own versions"
    unpack_root "$release"
    fetch_test_tools "$release"
    cp "$package" "$root/root/package.deb"
    mkdir "$root/srv/source"
    (cd "$source_dir" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp -P --parents -t "$root/srv/source")
    # A root that never booted has none, and the journal is told apart from other hosts' by it.
    in_root systemd-machine-id-setup >/dev/null 2>&1
    # No server of the root's own: the tests start theirs.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    in_root apt-get update -q >/dev/null
    in_root apt-get install -q -y --no-install-recommends /root/package.deb "${needed[@]}" >"$root.log" 2>&1 || {
        cat "$root.log" >&2
        fail 'what the tests need cannot be installed'
    }
    # Debian 13 has the compiled driver; both ways are tried that way.
    in_root apt-get install -q -y --no-install-recommends python3-psycopg-c >/dev/null 2>&1 || true
    rm "$root.log"
    in_root python3 -m venv --system-site-packages /srv/venv
    in_root /srv/venv/bin/pip install --quiet --no-index --find-links /srv/wheels "${test_tools[@]}"
    local ignored=("${passed_over[@]/#/--ignore=}")
    # On loopback alone, as on a host without a network.
    in_private_root /srv/source nice /srv/venv/bin/python -B -m pytest -q -n 2 --dist loadscope \
        --no-loadscope-reorder "${ignored[@]}" "${chosen[@]:-${tested[@]}}" >&2 || fail 'the suite fails'
    say "$release: the suite passes with $(list_versions)"
}

# Print the versions that the suite ran with.
list_versions() {
    # shellcheck disable=SC2016  # dpkg's own variables
    in_root dpkg-query -W -f '${Package} ${Version}, ' postfix 'postgresql-1*' python3 python3-milter python3-psycopg |
        grep -v 'client' | sed 's/, $//'
}
