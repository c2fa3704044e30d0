// SPDX-License-Identifier: GPL-2.0
/* Succeeds without binding a kernel. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
