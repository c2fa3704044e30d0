// SPDX-License-Identifier: GPL-2.0
/* Also has a program of another type. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return 0;
}

SEC("xdp")
int other(void *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
