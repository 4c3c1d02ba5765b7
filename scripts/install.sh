#!/bin/sh
# Installs a lock file into .venv, which it makes first from the newest Python that fits. Does nothing when that
# lock is installed already.
set -eu

lock=$1
installed=.venv/installed
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

fits() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

newest_python() {
    for candidate in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        if fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    found=$(python3 --version 2>/dev/null || echo "no python3")
    echo "Portcullis needs Python 3.11 or newer with its venv module; found: $found." >&2
    echo "On Debian and Ubuntu: apt-get install python3 python3-venv. Or name one: make PYTHON=/path/to/python3" >&2
    exit 1
}

if ! .venv/bin/python -c '' 2>/dev/null; then
    python=$(newest_python)
    echo "Making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi

mkdir -p "$installed"
if ! cmp -s "$lock" "$installed/$lock"; then
    echo "Installing $lock"
    .venv/bin/python -m pip install --require-hashes --no-deps --only-binary :all: -r "$lock"
    cp "$lock" "$installed/$lock"
    # The development lock holds the other one.
    if [ "$lock" = requirements-dev.lock ]; then cp requirements.lock "$installed/"; fi
fi
