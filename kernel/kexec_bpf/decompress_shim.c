// SPDX-License-Identifier: GPL-2.0-only
/*
 * What decompression calls of the kernel and is inline.
 */
#include <linux/kexec_bpf.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/zutil.h>

bool kexec_bpf_killed(void)
{
	cond_resched();
	return fatal_signal_pending(current);
}

u32 kexec_bpf_adler32(const u8 *bytes, size_t len)
{
	return zlib_adler32(1, bytes, len);
}
