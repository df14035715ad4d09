#!/usr/bin/env bash
# Runs every end-to-end test that is named after a case against an operator that does nothing (operator.rs). Each has to
# fail; one that passes shows nothing.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
target=${CARGO_TARGET_DIR:-target}

cargo build --quiet --test e2e --example null-operator || exit 1
echo 'Every test of a case, against an operator that does nothing:'
TESTBED_OPERATOR="$PWD/$target/debug/examples/null-operator" E2E_PATIENCE_SECONDS=8 RUST_BACKTRACE=0 \
    cargo test --quiet --test e2e -- case_ --test-threads=12 --format=pretty >"$output" 2>&1

# One line for each test: "test part::case_31_… ... FAILED".
failed=0 passed=0
while read -r name outcome; do
    case $outcome in
    FAILED) failed=$((failed + 1)) && printf '  %-110s failed, as it should\n' "$name" ;;
    ok) passed=$((passed + 1)) && printf '  %-110s PASSED: it shows nothing\n' "$name" ;;
    esac
done < <(sed -n 's/^test \(.*::case_[^ ]*\) \.\.\. \(ok\|FAILED\)$/\1 \2/p' "$output" | sort)
printf '%s tests of cases failed against it, %s passed\n' "$failed" "$passed"
if [ "$failed" -eq 0 ]; then
    tail -40 "$output"
    exit 1
fi
[ "$passed" -eq 0 ]
