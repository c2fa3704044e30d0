# Sourced by the suites, instead of ../lib.sh: they run in the toolchain root, and report as KTAP by the kernel's own
# helpers. A suite prints a header and a plan, runs its tests and ends with ktap_finished, which fails if a test failed or
# did not run.
# shellcheck shell=bash disable=SC2154
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
enter "$@"
# shellcheck source=/dev/null
. "$("$top/scripts/build/tree")/tools/testing/selftests/kselftest/ktap_helpers.sh"

# plan N: announces N tests.
plan() {
	ktap_print_header
	ktap_set_plan "$1"
}

# ktap NAME COMMAND...: runs a test and reports it. (ktap_test_result would split the words of the command.) set -e has no
# effect in COMMAND.
ktap() {
	if "${@:2}"; then
		ktap_test_pass "$1"
	else
		ktap_test_fail "$1"
	fi
}

# on_console FILE OPTION TEXT...: whether grep with the option finds each text in the file. If not, shows the end of the
# console, $work/console.
on_console() {
	local text
	for text in "${@:3}"; do
		grep -q "$2" -- "$text" "$1" || {
			echo "# not on the console: $text"
			tr -d '\r' <"$work/console" | tail -n 30 | sed 's/^/#   /'
			return 1
		}
	done
}
