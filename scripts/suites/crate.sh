# Sourced by the suites that are crates.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/ktap.sh"

# crate DIRECTORY COMMAND...: runs formatting, lints and tests of a crate, and reports each of its tests as one of the
# suite. Each COMMAND, which is one word, is a test too; it can leave files in $work.
crate() {
	local options work status=0 verdict name
	cd "$1"
	# If the target is named, lints and tests of all crates share their builds.
	options=(--locked --target "$(rustc -vV | sed -n 's/^host: //p')" --target-dir "$cache/cargo-target")
	work=$(mktemp -d "$cache/crate.XXXXXX")
	# shellcheck disable=SC2064 # the directory of now
	trap "rm -rf '$work'" EXIT
	cargo test "${options[@]}" >"$work/log" 2>&1 || status=$?
	sed -nE 's/^test (.*) \.\.\. (ok|FAILED|ignored).*$/\2 \1/p' "$work/log" >"$work/results"
	[ $status = 0 ] || sed 's/^/# /' "$work/log"
	plan $((3 + $(wc -l <"$work/results") + $# - 1))
	ktap rustfmt cargo fmt --all --check
	ktap clippy cargo clippy "${options[@]}" --workspace --all-targets -- -D warnings
	ktap "cargo test" [ $status = 0 ]
	while read -r verdict name; do
		case $verdict in
		ok) ktap_test_pass "$name" ;;
		ignored) ktap_test_skip "$name" ;;
		*) ktap_test_fail "$name" ;;
		esac
	done <"$work/results"
	for name in "${@:2}"; do
		ktap "$name" "$name"
	done
	ktap_finished
}
