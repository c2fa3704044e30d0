// SPDX-License-Identifier: GPL-2.0
/* Has a variable whose initial value is the address of another. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

int target;
int *pointer = &target;

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return *pointer;
}

char _license[] SEC("license") = "GPL";
