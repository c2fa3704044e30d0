// SPDX-License-Identifier: GPL-2.0
/* Refers to a map of the caller by its descriptor. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	asm volatile(".byte 0x18, 0x11, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0");
	return 0;
}

char _license[] SEC("license") = "GPL";
