// SPDX-License-Identifier: GPL-2.0
/* Has BTF without a header. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

asm(".section .BTF, \"\", @progbits\n"
	".long 0\n"
	".text");

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
