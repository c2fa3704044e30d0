// SPDX-License-Identifier: GPL-2.0
/* Returns 256 plus the flags of the context. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return 256 + ctx->flags;
}

char _license[] SEC("license") = "GPL";
