# Sourced by the scripts beside it: makes the virtual environment and keeps it current.
# Needs Python 3.11 or newer on the PATH and a package index that pip can reach; nothing else.

ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"

say() { printf '%s\n' "$*" >&2; }

# The first interpreter on the PATH that is new enough and can make environments.
find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
    say "foxtrot-supervisor needs Python 3.11 or newer (with venv) on the PATH; none was found"
    exit 3
}

# make_environment FOLDER: an empty virtual environment there, unless a working one is there already.
make_environment() {
    if [ -x "$1/bin/python" ] && "$1/bin/python" -c 'import pip' >/dev/null 2>&1; then
        return
    fi
    say "making the virtual environment $1"
    "$(find_python)" -m venv --clear "$1" || exit 3
}

# fingerprint [WORD...]: changes whenever what is to be installed changes.
fingerprint() {
    { cat "$ROOT/setup.cfg" "$ROOT/pyproject.toml"; printf '%s\n' "$ROOT" "$@"; } | cksum
}

# install_once FOLDER STAMP PIP-ARGUMENTS...: runs pip there unless STAMP says that exactly this was done.
install_once() {
    local folder="$1" stamp="$1/$2" wanted
    shift 2
    wanted="$(fingerprint "$@")"
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    say "installing into $folder"
    if ! "$folder/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-compile "$@" >&2; then
        say "installing failed; pip's message stands above"
        exit 3
    fi
    printf '%s\n' "$wanted" >"$stamp"
}

# mark_installed FOLDER STAMP PIP-ARGUMENTS...: says that what these would install is there already.
mark_installed() {
    local stamp="$1/$2"
    shift 2
    fingerprint "$@" >"$stamp"
}
