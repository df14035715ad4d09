#!/usr/bin/env bash
# Runs every end-to-end test that is named after a case against an operator that does nothing (operator.rs). Each has to
# fail, by what it asserts itself; one that passes shows nothing. One test, the control, has to pass: else everything
# may fail only because nothing works.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

control=outside::every_generation_is_observed
target=${CARGO_TARGET_DIR:-target}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

cargo build --quiet --test e2e --example null-operator || exit 1
cargo test --quiet --test e2e -- --list >"$folder/list" || exit 1
cases=$(sed -n 's/^\(.*::case_[^ ]*\): test$/\1/p' "$folder/list" | sort)
[ -n "$cases" ] || { echo 'there are no tests of cases' && exit 1; }

echo 'Every test of a case, against an operator that does nothing:'
# shellcheck disable=SC2086 # one argument for each
TESTBED_OPERATOR="$(realpath "$target")/debug/examples/null-operator" E2E_PATIENCE_SECONDS=8 RUST_BACKTRACE=0 \
    cargo test --quiet --test e2e -- --exact $control $cases --test-threads=12 --format=pretty >"$folder/output" 2>&1

outcome() {
    sed -n "s/^test $1 \.\.\. \(ok\|FAILED\)\$/\1/p" "$folder/output"
}

# The file that it failed in and the first words: "tests/e2e/harness/window.rs waited 8s in vain for …".
words() {
    sed -n "/^---- $1 stdout ----\$/,/^----/{/^panicked at /{s/^panicked at \([^:]*\):.*/\1/;N;s/\n/ /;p;q}}" "$folder/output"
}

bad=0
say() {
    printf '  %-110s %s\n' "$1" "$2"
}
for name in $cases; do
    case $(outcome "$name") in
    FAILED)
        # An assertion of its own, or a wait in vain. What the harness itself could not do shows nothing.
        case $(words "$name" | grep -v 'called `Result::unwrap()`') in
        tests/e2e/scenes/* | 'tests/e2e/harness/'*' waited '* | 'tests/e2e/harness/channel.rs assertion '*)
            say "$name" 'failed, as it should' ;;
        *) bad=$((bad + 1)) && say "$name" "FAILED BY ITSELF: $(words "$name" | cut -c1-100)" ;;
        esac
        ;;
    ok) bad=$((bad + 1)) && say "$name" 'PASSED: it shows nothing' ;;
    *) bad=$((bad + 1)) && say "$name" 'DID NOT END' ;;
    esac
done
if [ "$(outcome $control)" = ok ]; then
    say $control 'passed, as it should'
else
    bad=$((bad + 1)) && say $control 'DID NOT PASS: nothing works there'
fi
printf '%s tests of cases, %s out of order\n' "$(wc -w <<<"$cases")" "$bad"
if [ "$bad" -gt 0 ]; then
    tail -80 "$folder/output"
    exit 1
fi
