# Sourced by the other scripts: where things are, and how they speak.
# shellcheck shell=bash

set -euo pipefail
export LC_ALL=C.UTF-8

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kexec_bpf
[ -z "${KDIR:-}" ] || KDIR=$(realpath "$KDIR")
mkdir -p "$cache"

# One line for each step, with the time since the command began.
export KEXEC_BPF_T0=${KEXEC_BPF_T0:-$(date +%s)}
say() {
	local s=$(($(date +%s) - KEXEC_BPF_T0))
	printf '[%3d:%02d] %s\n' $((s / 60)) $((s % 60)) "$*" >&2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# architecture NAME: sets what others call it.
architecture() {
	arch=$1
	case $arch in
	x86_64) names=(x86_64 amd64 x64 x86_64 x86_64 ttyS0 arch/x86/boot/bzImage) ;;
	arm64) names=(arm64 arm64 aa64 aarch64 aarch64 ttyAMA0 arch/arm64/boot/Image) ;;
	riscv64) names=(riscv riscv64 riscv64 riscv64 riscv64gc ttyS0 arch/riscv/boot/Image) ;;
	*) die "ARCH=$arch: not one of x86_64, arm64, riscv64" ;;
	esac
	read -r kernel_arch deb_arch efi_arch gnu_arch rust_arch console image <<<"${names[*]}"
	triple=$rust_arch-unknown-linux-gnu
	# The root has Rust's standard library for x86_64 alone: a mirror can be out of step with itself, and what is for one
	# architecture must not need the lists of another. For others cargo builds it, which is not a stable feature.
	unset RUSTC_BOOTSTRAP CARGO_UNSTABLE_BUILD_STD
	[ "$arch" = x86_64 ] || export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD="std panic_abort"
}
architecture "${ARCH:-x86_64}"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_RISCV64GC_UNKNOWN_LINUX_GNU_LINKER=riscv64-linux-gnu-gcc

# package NAME: prints the directory under which the files of a package of scripts/packages are for the architecture.
package() {
	[ "$arch" = x86_64 ] || "$top/scripts/build/deb" "$1" "$deb_arch"
}

# efi_stub: prints systemd's stub, of which UKIs are made.
efi_stub() {
	echo "$(package systemd-boot-efi)/usr/lib/systemd/boot/efi/linux$efi_arch.efi.stub"
}

# qemu [VARIABLES]: sets ${qemu[@]}, the command that starts a machine with its console on the standard output; where
# VARIABLES names a file, with firmware, which keeps its variables there. That of x86_64 and arm64 enforces secure boot,
# with the key "platform" of scripts/images/keys. Firmware hands on ACPI's tables or a device tree; off x86_64 the test kernel
# knows the device tree alone.
qemu() {
	local code variables
	case $arch in
	x86_64)
		qemu=(qemu-system-x86_64 -machine q35)
		code=OVMF/OVMF_CODE_4M.secboot.fd variables=OVMF/OVMF_VARS_4M.snakeoil.fd
		# It keeps the variables to code in system management mode.
		[ $# = 0 ] || qemu+=(-machine smm=on -global driver=cfi.pflash01,property=secure,value=on)
		;;
	arm64)
		qemu=(qemu-system-aarch64 -machine virt,acpi=off)
		code=AAVMF/AAVMF_CODE.secboot.fd variables=AAVMF/AAVMF_VARS.snakeoil.fd
		;;
	riscv64)
		qemu=(qemu-system-riscv64 -machine virt,acpi=off)
		code=qemu-efi-riscv64/RISCV_VIRT_CODE.fd variables=qemu-efi-riscv64/RISCV_VIRT_VARS.fd
		;;
	esac
	if "$top/scripts/guest/kvm"; then
		qemu+=(-accel kvm -cpu host)
	else
		qemu+=(-accel tcg -cpu max)
	fi
	qemu+=(-nodefaults -display none -no-reboot -serial stdio)
	[ $# = 0 ] || {
		cp "/usr/share/$variables" "$1"
		qemu+=(-drive "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/$code"
			-drive "if=pflash,unit=1,format=raw,file=$1")
	}
}

# digest FILE...: a short name for the contents of some files.
digest() {
	cat "$@" | sha256sum | cut -c1-12
}

# directories FILE...: where these are, as in-root takes it in $BINDS.
directories() {
	realpath -m "$@" | sed 's|/[^/]*$||' | paste -sd:
}

# enter "$@": goes on in the toolchain root, unless already there.
enter() {
	[ -n "${KEXEC_BPF_TOOLS:-}" ] || exec "$top/scripts/in-root" "$0" "$@"
}

# ktap NAME COMMAND...: runs a test and reports it. $ktap_status is 1 once one has failed.
ktap_n=0 ktap_status=0
ktap() {
	ktap_n=$((ktap_n + 1))
	if "${@:2}"; then
		echo "ok $ktap_n $1"
	else
		echo "not ok $ktap_n $1"
		ktap_status=1
	fi
}

# What is in the first line of a report that something is wrong with the kernel.
splats='BUG: |WARNING: |INFO: task |INFO: rcu|Oops: |UBSAN: |general protection fault|rust_kernel: panicked|memory leaks'

# lock NAME: held until the script ends; others wait their turn.
lock() {
	exec {lock_fd}>"$cache/$1.lock"
	flock -n "$lock_fd" || {
		say "waiting for another run ($1)"
		flock "$lock_fd"
	}
}
