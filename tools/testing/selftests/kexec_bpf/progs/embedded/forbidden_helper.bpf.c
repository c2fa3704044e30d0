// SPDX-License-Identifier: GPL-2.0
/* Calls a helper that only programs of other types may call. */
#include <linux/bpf.h>
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return bpf_ktime_get_ns() & 1;
}

char _license[] SEC("license") = "GPL";
