# Sourced by scripts that start a machine.
# shellcheck shell=bash disable=SC2154

# qemu [VARIABLES]: sets ${qemu[@]}, the command that starts a machine with its console on the standard output. If
# VARIABLES names a file, the machine has firmware, which keeps its variables there. The firmware of x86_64 and arm64
# enforces secure boot with the key "platform" of scripts/images/keys.
qemu() {
	qemu=("${machine[@]}" -nodefaults -display none -no-reboot -serial stdio)
	if "$top/scripts/guest/kvm"; then
		qemu+=(-accel kvm -cpu host)
	else
		qemu+=(-accel tcg -cpu max)
	fi
	[ $# = 0 ] || {
		cp "/usr/share/$variables" "$1"
		qemu+=("${firmware_machine[@]}"
			-drive "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/$firmware"
			-drive "if=pflash,unit=1,format=raw,file=$1")
	}
}
