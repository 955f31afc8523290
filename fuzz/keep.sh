#!/bin/sh
# Adds to corpus/ what runs have found, as far as it reaches code that the inputs kept there do not: keep.sh [TARGET…]
# Counts code only, not how often it is reached, so that what is kept stays small.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$("$here/build.sh")
work=$(dirname "$(dirname "$bin")")/runs
if [ -d /dev/shm ] && [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi
for target in ${*:-$(cd "$here/fuzz_targets" && ls | sed 's/\.rs$//')}; do
    mkdir -p "$here/corpus/$target" "$work/corpus/$target"
    "$bin/$target" -merge=1 -use_counters=0 -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
        "$here/corpus/$target" "$work/corpus/$target" >"$work/$target.merge.log" 2>&1
    echo "$target: $(ls "$here/corpus/$target" | wc -l) inputs"
done
