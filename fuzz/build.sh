#!/bin/sh
# Builds every fuzz target with what libFuzzer needs and prints the folder of the binaries: `cargo fuzz build` without
# cargo-fuzz, so that a nightly toolchain is all that has to be there. Runs nothing.
set -eu
cd "$(dirname "$0")"
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0 -Zsanitizer=address -Cdebug-assertions -Ccodegen-units=1 --cfg fuzzing"
case $host in *-linux-*) flags="$flags -Cllvm-args=-sanitizer-coverage-stack-depth" ;; esac
# A target given by name keeps the flags from build scripts, which run without a fuzzer.
RUSTFLAGS=$(echo $flags) cargo +nightly build --release --bins --target "$host" >&2
echo "${CARGO_TARGET_DIR:-$PWD/target}/$host/release"
