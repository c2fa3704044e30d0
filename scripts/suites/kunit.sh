# Sourced by the suites that run KUnit in a kernel.
# shellcheck shell=bash disable=SC2154
. "$(dirname "${BASH_SOURCE[0]}")/ktap.sh"

# kunit_plan N: announces N tests and those of KUnit that are on the console, $work/console. KTAP of KUnit is nested: the plan
# and the results of a suite are indented once.
kunit_plan() {
	tr -d '\r' <"$work/console" | sed -nE 's/^(\[[^]]*\] )?    (1\.\.|ok |not ok )/\2/p' >"$work/results"
	plan $(($1 + $(awk -F. '/^1\.\./ { n += $3 } END { print n + 0 }' "$work/results")))
}

# kunit_results: reports the tests of KUnit.
kunit_results() {
	local line
	while read -r line; do
		case $line in
		ok*'# SKIP'*) ktap_test_skip "${line#ok * }" ;;
		ok*) ktap_test_pass "${line#ok * }" ;;
		not*) ktap_test_fail "${line#not ok * }" ;;
		esac
	done <"$work/results"
	[ "$KTAP_CNT_FAIL" = 0 ] || sed 's/^/# /' "$work/console"
}
