// SPDX-License-Identifier: GPL-2.0
/* Calls a function that the kernel does not have. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

int no_such_function(void) __ksym;

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return no_such_function();
}

char _license[] SEC("license") = "GPL";
