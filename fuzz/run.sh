#!/bin/sh
# Runs fuzz targets for so many seconds each, one after another, and prints what came of it as a table: run.sh SECONDS [TARGET…]
# Needs a nightly toolchain. New inputs and findings stay below the target folder; keep.sh chooses those worth keeping.
set -eu
seconds=${1:?"how many seconds for each target?"}
shift
here=$(cd "$(dirname "$0")" && pwd)
bin=$("$here/build.sh")
work=$(dirname "$(dirname "$bin")")/runs
targets=${*:-$(cd "$here/fuzz_targets" && ls | sed 's/\.rs$//')}
# Targets that read files make one for each input: in memory, where there is such a place.
if [ -d /dev/shm ] && [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi
# A finding is run again for its story, so allocations need none.
export ASAN_OPTIONS="detect_odr_violation=0:malloc_context_size=2:quarantine_size_mb=16${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
status=0
echo '| target | seconds | executions | coverage (edges) | features | findings |'
echo '|---|---|---|---|---|---|'
for target in $targets; do
    mkdir -p "$work/corpus/$target" "$work/findings/$target"
    # MiB at once. No parser of text has a reason to ask for much, and container allows a window of one; a page of Parquet may
    # have 256, and its reader makes two of them.
    case $target in container) room=16 ;; parquet | decoders) room=600 ;; *) room=256 ;; esac
    dict=
    case $target in record | decoders | rejects | elements | spec | manifest | pages) dict="-dict=$here/text.dict" ;; esac
    begun=$(date +%s)
    "$bin/$target" -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=$room \
        -print_final_stats=1 -artifact_prefix="$work/findings/$target/" $dict \
        "$work/corpus/$target" "$here/corpus/$target" >"$work/$target.log" 2>&1 || status=1
    ran=$(($(date +%s) - begun))
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log")
    last=$(grep -o 'cov: [0-9]* ft: [0-9]*' "$work/$target.log" | tail -n 1)
    found=$(ls "$work/findings/$target" | wc -l)
    echo "$last" | { read -r _ edges _ features || true; echo "| $target | $ran | $executions | $edges | $features | $((found)) |"; }
done
if [ $status -ne 0 ]; then echo "findings are in $work/findings, logs in $work" >&2; fi
exit $status
