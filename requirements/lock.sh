#!/bin/sh
# Resolves every *.in into a *.lock with hashes; `make lock` runs it. torch-cpu.lock is kept by hand.
set -eu
cd "$(dirname "$0")"

# One version of a package for every Python, so that results do not depend on which one is there.
compile() {
    ../.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
        --upgrade --generate-hashes --no-header "$@"
}

compile --excludes cuda.exclude --no-emit-package torch core.in -o core.lock

# The other locks agree with core.lock and leave out what it holds.
in_core=$(sed -nE 's/^([a-z0-9-]+)==.*/--no-emit-package \1/p' core.lock)
# shellcheck disable=SC2086  # several words are meant
compile -c core.lock --excludes cuda.exclude --no-emit-package torch $in_core dev.in -o dev.lock
# shellcheck disable=SC2086
compile -c core.lock $in_core torch.in -o torch-cuda.lock
compile -c core.lock build.in -o build.lock
