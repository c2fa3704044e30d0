#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# seeds.sh DIRECTORY: makes the inputs with which the fuzz targets begin, in a directory for each
# target: a small example of each sort that is in use.
set -eu

fuzz=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"/{cpio,decompress,gzip,image,lz4,lzo,object,sbat,xz,zstd}

cd "$1/object"
for name in small full; do
	clang -target bpf -mcpu=v3 -O2 -g -c -o $name "$fuzz/../../progs/parsers/$name.bpf.c"
done
cp small dwarf
llvm-strip -g small full

cd "$1/image"
stub=$(ls /usr/lib/systemd/boot/efi/addon*.efi.stub | head -n1)
cp "$stub" stub
ukify build --stub=stub --cmdline=quiet --section=.bpf:@../object/small --output=uki
ukify build --stub=stub --linux=stub --initrd=stub --uname=7.3 \
	--section=.bpf:@../object/full --output=more
key=$(mktemp -d)
trap 'rm -r "$key"' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -batch -subj /CN=fuzz \
	-keyout "$key/key" -out "$key/certificate"
sbsign --key "$key/key" --cert "$key/certificate" --output signed uki

# What fuzz_targets/cpio.rs takes: mode, length, path, file.
cd "$1/cpio"
printf '\xa4\1\0\0\0\0\0\0%b%s\0' '\0\0\0\0\0\0\0\0' init >empty
printf '\x24\1\0\0\0\0\0\0%b%s\0ID=x\n' '\5\0\0\0\0\0\0\0' .extra/os-release >deep
printf '\0\1\x40\1\0\0\0\0%b%s\0x' '\1\0\0\0\0\0\0\0' .extra/credentials/x >modes

cd "$1/gzip"
head -c 40000 /dev/zero | gzip >zeroes
gzip <"$fuzz/Cargo.toml" >text
# With all fields that are optional, the checksum of the header included.
printf '\x1f\x8b\x08\x1e\0\0\0\0\0\xff\1\0xname\0comment\0\xc2\xad\3\0\0\0\0\0\0\0\0\0' >fields

# Nothing there makes it: a block of literals, and one that repeats a byte 270 times.
cd "$1/lz4"
printf '\x02\x21\x4c\x18\6\0\0\0\x50kexec\6\0\0\0\x1fk\1\0\xfb\0' >blocks

# Nor this: two blocks, one stored; and one block, with checksums that are right.
cd "$1/lzo"
printf '\x89LZO\0\r\n\x1a\n\x10@ \xa0\t@\3\t\3\0\0\r%b\4name\0\0\0\0' \
	'\0\0\0\0\0\0\0\0\0\0\0\0' >blocks
printf '\0\0\0\x1e\0\0\0\r\0\0\0\0\x17kexec \x36\x14\0\x11\0\0' >>blocks
printf '\0\0\0\5\0\0\0\5\0\0\0\0kexec\0\0\0\0' >>blocks
printf '\x89LZO\0\r\n\x1a\n\x10@ \xa0\t@\3\t\3\0\0\r\0\0\x81\xa4%b+\xbd\2\x9b' \
	'\0\0\0\0\0\0\0\0\0' >sums
printf '\0\0\0\x1e\0\0\0\r\xad\x8e\n\xf1\x17kexec 6\x14\0\x11\0\0\0\0\0\0' >>sums

# What fuzz_targets/sbat.rs takes: level, section.
cd "$1/sbat"
printf 'sbat,1,2024010900\nshim,4\ngrub,3\ngrub.debian,4\n\0sbat,1,a,b,c,d\ngrub,3,a,b,c,d\n' >level
printf 'grub,3\n\0\r\ngrub,2,a,b,c,d\r\n' >below

cd "$1/xz"
xz --check=crc32 <"$fuzz/Cargo.toml" >text
xz --check=none --block-size=1000 <../image/stub >blocks
xz --check=crc32 --x86 --lzma2=dict=4KiB <../image/stub >binary
xz --check=crc32 </dev/null >empty

cd "$1/zstd"
head -c 400000 /dev/zero | zstd >zeroes
zstd <"$fuzz/Cargo.toml" >streamed
zstd --no-check --stream-size=5 <<<text >sized
zstd -19 <../image/stub >binary

cd "$1"
for format in gzip lz4 lzo xz zstd; do
	for seed in $format/*; do
		cp "$seed" "decompress/$format-${seed##*/}"
	done
done
