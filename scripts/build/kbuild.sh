# Sourced by scripts that build a kernel: of the tree $tree, in the directory $build. The configuration is $build.config,
# the log $build.log.
# shellcheck shell=bash disable=SC2154

# kmake ARCH ARGUMENT...: runs the kernel's make; ARCH is the kernel's name of the architecture.
kmake() {
	make -C "$tree" O="$build" ARCH="$1" LLVM=1 "${@:2}" </dev/null
}

# configure ARCH FRAGMENT: configures the kernel with only the options of the file FRAGMENT, and fails if one is dropped.
configure() {
	local lost
	kmake "$1" -s KCONFIG_CONFIG="$build.config" KCONFIG_ALLCONFIG="$2" allnoconfig >"$build.log" 2>&1 ||
		die "the configuration fails (see $build.log)"
	lost=$(grep '^CONFIG' "$2" | grep -vxFf "$build.config" || true)
	[ -z "$lost" ] || die "the kernel's Kconfig drops $(paste -sd' ' <<<"$lost")"
	cmp -s "$build.config" "$build/.config" || cp "$build.config" "$build/.config"
}
