#!/bin/sh -e
# SPDX-License-Identifier: GPL-2.0
# From first.bpf.c to first.efi, in a directory with vmlinuz, key.pem and cert.pem.
# $tree is the kernel source.

# build
"$tree"/scripts/bpf_doc.py --header --file "$tree"/include/uapi/linux/bpf.h >bpf_helper_defs.h
clang -target bpf -mcpu=v3 -O2 -g -Wall -Werror \
	-I. -I"$tree"/tools/lib -I"$tree"/tools/kexec_bpf \
	-idirafter /usr/include/"$(uname -m)"-linux-gnu -idirafter "$tree"/include/uapi \
	-c first.bpf.c -o first.bpf.o
llvm-strip -g first.bpf.o

# image
ukify build --linux=vmlinuz --section=.bpf:@first.bpf.o --output=unsigned.efi
sbsign --key key.pem --cert cert.pem --output first.efi unsigned.efi
