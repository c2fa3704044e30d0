// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kfuncs of BPF_PROG_TYPE_KEXEC. Their contracts: Documentation/bpf/kexec.rst.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/init.h>
#include <linux/kexec_bpf.h>

__bpf_kfunc_start_defs();

/**
 * bpf_kexec_carrier() - the one door for bytes and ranges
 * @ctx: the program's context
 * @op: enum bpf_kexec_op
 * @range: what to get, bind or ask for; for PUT, is set to the new resource
 * @buf__nullable: the program's buffer, for GET and PUT
 * @buf__sz: its length
 *
 * Return: GET: the number of bytes; PUT: the handle; else 0; or a negative errno.
 */
__bpf_kfunc s64 bpf_kexec_carrier(struct bpf_kexec_ctx *ctx, u64 op, struct bpf_kexec_range *range,
				  void *buf__nullable, u64 buf__sz)
{
	return kexec_bpf_rs_carrier(ctx, op, range, buf__nullable, buf__sz);
}

/**
 * bpf_kexec_decompress() - make a resource from a compressed range
 * @ctx: the program's context
 * @src: the compressed bytes
 * @algo: enum bpf_kexec_algo
 * @out_len: the most bytes there may be, 0 for the kernel's own limit
 * @flags: BPF_KEXEC_EXACT: there have to be exactly @out_len bytes
 *
 * Return: a handle, or a negative errno.
 */
__bpf_kfunc s64 bpf_kexec_decompress(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *src,
				     u64 algo, u64 out_len, u64 flags)
{
	return kexec_bpf_rs_decompress(ctx, src, algo, out_len, flags);
}

/**
 * bpf_kexec_initrd_append() - append a range to the initrd
 * @ctx: the program's context
 * @src: a cpio, compressed or not; or the content of a file
 * @path__nullable: NULL; or the path of that file, which is wrapped into a cpio
 * @path__sz: length of the path, without NUL
 * @mode: permissions of the file; 0 without a path
 *
 * Return: 0, or a negative errno.
 */
__bpf_kfunc s64 bpf_kexec_initrd_append(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *src,
					void *path__nullable, u64 path__sz, u64 mode)
{
	return kexec_bpf_rs_initrd_append(ctx, src, path__nullable, path__sz, mode);
}

/**
 * bpf_kexec_cmdline_append() - append text to the command line
 * @ctx: the program's context
 * @text: the text; a space is put before it unless it is the first
 * @text__sz: its length
 * @flags: 0
 *
 * Return: 0, or a negative errno.
 */
__bpf_kfunc s64 bpf_kexec_cmdline_append(struct bpf_kexec_ctx *ctx, void *text, u64 text__sz,
					 u64 flags)
{
	return kexec_bpf_rs_cmdline_append(ctx, text, text__sz, flags);
}

/**
 * bpf_kexec_read_fd() - read a file of the caller's
 * @ctx: the program's context
 * @fd: its descriptor; each is taken once
 * @flags: BPF_KEXEC_VERIFY_PE: the file has to be a PE image with a valid signature
 *
 * Return: a handle, or a negative errno.
 */
__bpf_kfunc s64 bpf_kexec_read_fd(struct bpf_kexec_ctx *ctx, s64 fd, u64 flags)
{
	return kexec_bpf_rs_read_fd(ctx, fd, flags);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(kexec_bpf_kfunc_ids)
BTF_ID_FLAGS(func, bpf_kexec_carrier, KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_kexec_decompress, KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_kexec_initrd_append, KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_kexec_cmdline_append, KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_kexec_read_fd, KF_SLEEPABLE)
BTF_KFUNCS_END(kexec_bpf_kfunc_ids)

static const struct btf_kfunc_id_set kexec_bpf_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &kexec_bpf_kfunc_ids,
};

static int __init kexec_bpf_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_KEXEC, &kexec_bpf_kfunc_set);
}
late_initcall(kexec_bpf_init);
