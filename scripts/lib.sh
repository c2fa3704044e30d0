# Sourced by all scripts: where things are, and how scripts report.
# shellcheck shell=bash
#
# Three conventions hold for every script:
#
# 1. A script of scripts/build or scripts/images that is named by a noun (tree, keys) makes that thing, unless it is there
#    already, and prints where it is. So do kernel and series. That is all they print; progress goes to the standard
#    error. So others call it as tree=$("$top/scripts/build/tree").
# 2. enter "$@" continues in the toolchain root: it starts the script again there, from its first line and with the same
#    arguments. The lines above it run twice, and only read the arguments. The environment in the root consists of
#    the variables that scripts/in-root lists.
# 3. A script that writes the file it is told to takes that file as its last argument, OUT.

set -euo pipefail
export LC_ALL=C.UTF-8

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kexec_bpf
[ -z "${KDIR:-}" ] || KDIR=$(realpath "$KDIR")
mkdir -p "$cache"

# say TEXT: one line for each step, with the time since the command began.
export KEXEC_BPF_T0=${KEXEC_BPF_T0:-$(date +%s)}
say() {
	local s=$(($(date +%s) - KEXEC_BPF_T0))
	printf '[%3d:%02d] %s\n' $((s / 60)) $((s % 60)) "$*" >&2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# All architectures, in the order of scripts/check: the one whose tests take longest comes first.
architectures=(riscv64 arm64 x86_64)

# architecture NAME: sets the variables of an architecture. Besides this table, an architecture has a kernel configuration
# in scripts/config, and a compiler, a C library and QEMU in scripts/packages; scripts/suites/style reports what is missing.
# shellcheck disable=SC2034,SC2054 # other scripts use these variables
architecture() {
	arch=$1
	case $arch in
	x86_64)
		kernel_arch=x86_64 deb_arch=amd64 efi_arch=x64 gnu_arch=x86_64 rust_arch=x86_64
		image=arch/x86/boot/bzImage target=bzImage console=ttyS0
		memory_at=608 memory_format=V # init_size
		debian_kernel='linux-binary-7\.3\..*-cloud-amd64'
		machine=(qemu-system-x86_64 -machine q35)
		# Its firmware keeps variables in memory that only code in system management mode can write.
		firmware_machine=(-machine smm=on -global driver=cfi.pflash01,property=secure,value=on)
		firmware=OVMF/OVMF_CODE_4M.secboot.fd variables=OVMF/OVMF_VARS_4M.snakeoil.fd verifies=yes
		;;
	arm64)
		kernel_arch=arm64 deb_arch=arm64 efi_arch=aa64 gnu_arch=aarch64 rust_arch=aarch64
		image=arch/arm64/boot/Image target=vmlinuz.efi console=ttyAMA0
		memory_at=16 memory_format='Q<' # image_size
		debian_kernel='linux-binary-7\.3\..*-cloud-arm64'
		# The test kernel is without ACPI here: the firmware has to hand on a device tree.
		machine=(qemu-system-aarch64 -machine virt,acpi=off) firmware_machine=()
		firmware=AAVMF/AAVMF_CODE.secboot.fd variables=AAVMF/AAVMF_VARS.snakeoil.fd verifies=yes
		;;
	riscv64)
		kernel_arch=riscv deb_arch=riscv64 efi_arch=riscv64 gnu_arch=riscv64 rust_arch=riscv64gc
		image=arch/riscv/boot/Image target=vmlinuz.efi console=ttyS0
		memory_at=16 memory_format='Q<' # image_size
		debian_kernel='linux-binary-[0-9].*-riscv64'
		machine=(qemu-system-riscv64 -machine virt,acpi=off) firmware_machine=()
		# This firmware verifies no signatures.
		firmware=qemu-efi-riscv64/RISCV_VIRT_CODE.fd variables=qemu-efi-riscv64/RISCV_VIRT_VARS.fd verifies=
		;;
	*) die "ARCH=$arch: not one of ${architectures[*]}" ;;
	esac
	triple=$rust_arch-unknown-linux-gnu
	# The root has Rust's standard library for x86_64 alone, because the package lists of a mirror can disagree between
	# architectures. For the others cargo builds it, which is not a stable feature.
	unset RUSTC_BOOTSTRAP CARGO_UNSTABLE_BUILD_STD
	[ "$arch" = x86_64 ] || export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD="std panic_abort"
	local upper=${triple^^}
	[ "$arch" = x86_64 ] || export "CARGO_TARGET_${upper//-/_}_LINKER=$gnu_arch-linux-gnu-gcc"
}
architecture "${ARCH:-x86_64}"

# package NAME: prints the directory under which the files of a package of scripts/packages are for the architecture.
package() {
	[ "$arch" = x86_64 ] || "$top/scripts/build/deb" "$1" "$deb_arch"
}

# cargo_target: prints the directory where cargo builds the selftests, and the command, too: they share Rust's standard
# library, where cargo builds it.
cargo_target() {
	echo "$cache/selftests-$arch-$KEXEC_BPF_TOOLCHAIN/cargo"
}

# efi_stub: prints systemd's stub, of which UKIs are made.
efi_stub() {
	echo "$(package systemd-boot-efi)/usr/lib/systemd/boot/efi/linux$efi_arch.efi.stub"
}

# cpio_of DIRECTORY: prints its files as a cpio archive, of which the same files give the same bytes.
cpio_of() {
	(cd "$1" && find . | sort | cpio -o -H newc -R 0:0 --quiet --reproducible)
}

# digest FILE...: a short name for the contents of some files.
digest() {
	cat "$@" | sha256sum | cut -c1-12
}

# directories FILE...: prints their directories as scripts/in-root takes them in $BINDS.
directories() {
	realpath -m "$@" | sed 's|/[^/]*$||' | paste -sd:
}

# enter "$@": see above.
enter() {
	[ -n "${KEXEC_BPF_TOOLCHAIN:-}" ] || exec "$top/scripts/in-root" "$0" "$@"
}

# lock NAME: held until the script ends; others wait their turn.
lock() {
	exec {lock_fd}>"$cache/$1.lock"
	flock -n "$lock_fd" || {
		say "waiting for another run ($1)"
		flock "$lock_fd"
	}
}
