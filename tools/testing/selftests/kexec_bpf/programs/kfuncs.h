/* SPDX-License-Identifier: GPL-2.0 */
/* The programs as plain C, with kfuncs that work on buffers of this process. */
#ifndef _PROGRAMS_KFUNCS_H
#define _PROGRAMS_KFUNCS_H

/* These replace libbpf's bpf_helpers.h, whose functions are calls into the kernel. */
#define __BPF_HELPERS__
#define SEC(name)
#define __ksym
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name
#define __noinline
#define barrier_var(var)
#define barrier()

static bool killed;

static long bpf_loop(__u32 loops, int (*body)(__u32, void *), void *ctx, __u64 flags)
{
	for (__u32 i = 0; i < loops; i++) {
		if (killed)
			return -EINTR;
		if (body(i, ctx))
			return i + 1;
	}
	return loops;
}

static const void *bpf_map_lookup_elem(const void *map, const void *key);

#include "../../../../kexec_bpf/uki.bpf.c"
#define _license zboot_license
#include "../../../../kexec_bpf/zboot.bpf.c"

#define MACHINE		0x8664
#define HANDLE		77
#define FD		100		/* the first descriptor */
#define FILES_MAX	8
#define PIECES_MAX	16
#define LINES_MAX	8

/* What the caller passes to the program; a descriptor is FD and the index of a file. */
static struct kexec_private_data private_data;

static struct {
	const void *bytes;
	__u64 len;
	bool is_signed;
	bool taken;
} files[FILES_MAX];

/* What the kernel would keep of a load: the ranges that were bound, not their contents. */
static struct {
	const __u8 *image;
	__u64 image_len;
	const char *initrd;		/* the caller's */
	__u64 initrd_len;
	char cmdline[2 * TEXT_MAX];
	__u64 cmdline_len;

	struct bpf_kexec_range kernel;
	struct piece {
		struct bpf_kexec_range range;
		char path[PLACES_PATH_SIZE];
		__u64 mode;
	} pieces[PIECES_MAX];
	int pieces_len;
	char lines[LINES_MAX][KEXEC_BPF_LINE_MAX + 1];
	int lines_len;
	struct bpf_kexec_range compressed;
	__u64 algo;
} load;

static const void *bpf_map_lookup_elem(const void *map, const void *key)
{
	return &private_data;
}

static __s64 get(const struct bpf_kexec_range *range, void *buf, __u64 buf_len)
{
	const void *bytes = load.image;
	__u64 len = load.image_len;

	if (range->resource == BPF_KEXEC_INITRD) {
		bytes = load.initrd;
		len = load.initrd_len;
	} else if (range->resource == BPF_KEXEC_CMDLINE) {
		bytes = load.cmdline;
		len = load.cmdline_len;
	} else if (range->resource >= FD && range->resource < FD + FILES_MAX) {
		bytes = files[range->resource - FD].bytes;
		len = files[range->resource - FD].len;
	} else if (range->resource != BPF_KEXEC_IMAGE) {
		return -ENOENT;
	}
	if (range->offset > len || range->len > len - range->offset || range->len > buf_len)
		return -ERANGE;
	memcpy(buf, bytes + range->offset, range->len);
	return range->len;
}

static struct piece *piece_add(int at, const struct bpf_kexec_range *range)
{
	if (load.pieces_len == PIECES_MAX)
		exit(KSFT_FAIL);
	memmove(&load.pieces[at + 1], &load.pieces[at],
		(load.pieces_len++ - at) * sizeof(load.pieces[0]));
	load.pieces[at] = (struct piece) { .range = *range };
	return &load.pieces[at];
}

__s64 bpf_kexec_carrier(struct bpf_kexec_ctx *ctx, __u64 op, struct bpf_kexec_range *range,
			void *buf, __u64 buf_len)
{
	if (range->flags)
		return -EINVAL;
	switch (op) {
	case BPF_KEXEC_GET:
		return get(range, buf, buf_len);
	case BPF_KEXEC_STAT:
		range->len = load.cmdline_len;
		if (range->resource == BPF_KEXEC_INITRD)
			range->len = load.initrd_len;
		else if (range->resource >= FD)
			range->len = files[range->resource - FD].len;
		return 0;
	case BPF_KEXEC_BIND_KERNEL:
		load.kernel = *range;
		return 0;
	case BPF_KEXEC_BIND_INITRD:
		load.initrd_len = 0;
		load.pieces_len = 0;
		if (range->len)
			piece_add(0, range);
		return 0;
	case BPF_KEXEC_PREPEND_INITRD:
		if (range->len)
			piece_add(0, range);
		return 0;
	case BPF_KEXEC_BIND_CMDLINE:
		load.cmdline_len = 0;
		return range->len ? -EINVAL : 0;
	case BPF_KEXEC_LOG:
		if (load.lines_len == LINES_MAX || buf_len > KEXEC_BPF_LINE_MAX)
			return -EINVAL;
		snprintf(load.lines[load.lines_len++], sizeof(load.lines[0]), "%.*s",
			 (int)buf_len, (char *)buf);
		return 0;
	}
	return -EINVAL;
}

__s64 bpf_kexec_initrd_append(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *src, void *path,
			      __u64 path_len, __u64 mode)
{
	struct piece *piece;

	if (!path && !src->len)
		return 0;
	piece = piece_add(load.pieces_len, src);
	if (path)
		memcpy(piece->path, path, path_len);
	piece->mode = mode;
	return 0;
}

__s64 bpf_kexec_cmdline_append(struct bpf_kexec_ctx *ctx, void *text, __u64 text_len, __u64 flags)
{
	if (load.cmdline_len && text_len)
		load.cmdline[load.cmdline_len++] = ' ';
	memcpy(load.cmdline + load.cmdline_len, text, text_len);
	load.cmdline_len += text_len;
	return 0;
}

__s64 bpf_kexec_read_fd(struct bpf_kexec_ctx *ctx, __s64 fd, __u64 flags,
			struct bpf_kexec_range *digest)
{
	if (fd < FD || fd >= FD + FILES_MAX || files[fd - FD].taken)
		return -EBADF;
	files[fd - FD].taken = true;
	if (flags & BPF_KEXEC_VERIFY_PE && !files[fd - FD].is_signed)
		return -EKEYREJECTED;
	return fd;
}

__s64 bpf_kexec_decompress(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *src, __u64 algo,
			   __u64 out_len, __u64 flags)
{
	load.compressed = *src;
	load.algo = algo;
	return HANDLE;
}

static __u32 level;

static int run(int (*program)(struct bpf_kexec_ctx *), __u32 flags)
{
	struct bpf_kexec_ctx ctx = {
		.image_len = load.image_len,
		.level = level,
		.flags = flags,
		.machine = MACHINE,
	};

	return program(&ctx);
}

#endif /* _PROGRAMS_KFUNCS_H */
