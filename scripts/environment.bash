# Sourced by the other scripts: creates the virtual environment and keeps it current.
# Needs Python 3.11 or newer on the PATH and a package index that pip can reach; nothing else.

ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"

say() { printf '%s\n' "$*" >&2; }

# Print the first interpreter on the PATH that is new enough and has venv.
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

# make_environment FOLDER: create a virtual environment in FOLDER unless it has a working one.
make_environment() {
    if [ -x "$1/bin/python" ] && "$1/bin/python" -c 'import pip' >/dev/null 2>&1; then
        return
    fi
    say "creating the virtual environment $1"
    "$(find_python)" -m venv --clear "$1" || exit 3
}

# fingerprint [WORD...]: print a checksum of the requirements, of what is compiled, and of the WORDs.
fingerprint() {
    { cat "$ROOT"/setup.* "$ROOT/pyproject.toml"; find "$ROOT"/*/foxtrot_* -name '*.pyx' -exec cksum {} +; printf '%s\n' "$ROOT" "$@"; } | cksum
}

# install_once FOLDER STAMP PIP-ARGUMENTS...: run `pip install` in FOLDER unless STAMP records the same fingerprint.
install_once() {
    local folder="$1" stamp="$1/$2" wanted
    shift 2
    wanted="$(fingerprint "$@")"
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    say "installing into $folder"
    if ! "$folder/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-compile "$@" >&2; then
        say "installation failed; see pip's message above"
        exit 3
    fi
    printf '%s\n' "$wanted" >"$stamp"
}

# mark_installed FOLDER STAMP PIP-ARGUMENTS...: record in STAMP that these are installed.
mark_installed() {
    local stamp="$1/$2"
    shift 2
    fingerprint "$@" >"$stamp"
}
