// SPDX-License-Identifier: GPL-2.0
/* What compilers make at times, and the loader takes. */
#include "fixture.h"

#define DATA(name) __attribute__((section(name), used))

u32 dash DATA(".data.with-dash") = 7;
const volatile u32 mangled DATA(".rodata._ZN4core$LT$u32$GT$E") = 8;
volatile u32 with$dollar = 5;

int bpf_strong___plain(struct bpf_kexec_ctx *) __ksym;
int bpf_weak___one___two(void) __ksym __weak;	/* the last flavor alone is cut */
int bpf_weak____four(void) __ksym __weak;	/* four underscores are not a flavor */
int bpf_weak___(void) __ksym __weak;		/* nor are three at the end */
int bpf_weak___v2(void) __ksym __weak;

SEC("kexec")
int odd$program(struct bpf_kexec_ctx *ctx)
{
	u64 sum = dash + mangled + with$dollar;

	sum += (u64[]){ 31, 41, 59, 26 }[sum & 3];
	sum += bpf_strong___plain(ctx);
	sum += bpf_weak___one___two();
	sum += bpf_weak____four();
	sum += bpf_weak___();
	sum += bpf_weak___v2();
	return sum;
}

char _license[] SEC("license") = "GPL";
