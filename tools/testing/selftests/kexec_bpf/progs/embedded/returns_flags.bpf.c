// SPDX-License-Identifier: GPL-2.0
/* Tells what the context says of the image's signature. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return 256 + ctx->flags;
}

char _license[] SEC("license") = "GPL";
