/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * kexec_bpf_load(2), and what programs of type BPF_PROG_TYPE_KEXEC see.
 * See Documentation/bpf/kexec.rst.
 */
#ifndef _UAPI_LINUX_KEXEC_BPF_H
#define _UAPI_LINUX_KEXEC_BPF_H

#include <linux/types.h>

/* Names that an image and its object use. */
#define KEXEC_BPF_PE_SECTION	".bpf"		/* PE section: the BPF object */
#define KEXEC_BPF_PROG_SECTION	"kexec"		/* ELF section: the program */
#define KEXEC_BPF_PRIVATE_MAP	"private"	/* map that takes the caller's private data */

/* Limits, in bytes unless a comment names something else. */
#define KEXEC_BPF_IMAGE_MAX	(1ULL << 30)	/* image, and each file read */
#define KEXEC_BPF_OBJECT_MAX	(1U << 20)	/* .bpf section */
#define KEXEC_BPF_PRIVATE_MAX	(1U << 20)	/* private data */
#define KEXEC_BPF_GET_MAX	(1U << 20)	/* one GET or PUT */
#define KEXEC_BPF_LOG_MAX	(1U << 20)	/* the caller's log */
#define KEXEC_BPF_LINE_MAX	256		/* a program's line in the log */
#define KEXEC_BPF_PATH_MAX	255		/* path of a wrapped initrd file */
#define KEXEC_BPF_HANDLES_MAX	320		/* resources of one level of nesting */
#define KEXEC_BPF_PIECES_MAX	1024		/* pieces of the initrd */
#define KEXEC_BPF_LEVELS_MAX	4		/* levels of nesting */

/* flags of struct kexec_bpf_args */
#define KEXEC_BPF_ON_CRASH	(1U << 0)	/* load the crash kernel */
#define KEXEC_BPF_DRY_RUN	(1U << 1)	/* do everything except install */
#define KEXEC_BPF_DEBUG		(1U << 2)	/* as KEXEC_FILE_DEBUG */

/**
 * struct kexec_bpf_args - argument of kexec_bpf_load(2)
 * @flags: KEXEC_BPF_*; unknown flags are -EINVAL
 * @image_fd: the image, a regular file
 * @initrd_fd: the caller's initrd, or -1
 * @map_fd: array map with private data for the program, or -1
 * @cmdline: address of the caller's command line, or 0
 * @cmdline_len: its length, without a terminating NUL
 * @log_buf: address of a buffer for the log, or 0
 * @log_size: size of that buffer; the log is cut to it, and to KEXEC_BPF_LOG_MAX, and ends with a
 *	NUL
 *
 * Grows at the end only. A kernel that does not know a field accepts it if it is zero.
 */
struct kexec_bpf_args {
	__u32 flags;
	__s32 image_fd;
	__s32 initrd_fd;
	__s32 map_fd;
	__aligned_u64 cmdline;
	__aligned_u64 cmdline_len;
	__aligned_u64 log_buf;
	__aligned_u64 log_size;
};

#define KEXEC_BPF_ARGS_SIZE_VER0	48

/* flags of struct bpf_kexec_ctx */
#define BPF_KEXEC_CTX_SIGNED	(1U << 0)	/* the image's signature is valid */
#define BPF_KEXEC_CTX_ENFORCED	(1U << 1)	/* unsigned images are refused */
#define BPF_KEXEC_CTX_CRASH	(1U << 2)	/* the crash kernel is loaded */
#define BPF_KEXEC_CTX_TEST	(1U << 3)	/* BPF_PROG_TEST_RUN: nothing is loaded */

/**
 * struct bpf_kexec_ctx - context of a BPF_PROG_TYPE_KEXEC program
 * @image_len: length of BPF_KEXEC_IMAGE
 * @flags: BPF_KEXEC_CTX_*
 * @level: level of nesting, from 0
 * @machine: IMAGE_FILE_MACHINE_* of the running kernel
 * @digest_len: bytes of @digest in use; 0 where the image is not signed
 * @digest: the image's Authenticode digest by SHA-256, whatever signed it
 * @key: SHA-256 that names image, program and all levels above
 *
 * Read-only. Grows at the end only.
 */
struct bpf_kexec_ctx {
	__u64 image_len;
	__u32 flags;
	__u32 level;
	__u32 machine;
	__u32 digest_len;
	__u8 digest[64];
	__u8 key[32];
};

/* Well-known resources. The handles that kfuncs return are larger. */
enum bpf_kexec_resource {
	BPF_KEXEC_IMAGE		= 0,
	BPF_KEXEC_KERNEL	= 1,
	BPF_KEXEC_INITRD	= 2,
	BPF_KEXEC_CMDLINE	= 3,
};

#define BPF_KEXEC_RANGE_VERIFIED	(1U << 0)	/* a signature covers each byte */

/**
 * struct bpf_kexec_range - a piece of a resource
 * @resource: enum bpf_kexec_resource, or a handle
 * @flags: zero; STAT sets BPF_KEXEC_RANGE_*
 * @offset: first byte
 * @len: length in bytes
 */
struct bpf_kexec_range {
	__u32 resource;
	__u32 flags;
	__u64 offset;
	__u64 len;
};

/* operations of bpf_kexec_carrier() */
enum bpf_kexec_op {
	BPF_KEXEC_GET		= 1,	/* range -> buffer */
	BPF_KEXEC_PUT		= 2,	/* buffer -> new resource */
	BPF_KEXEC_STAT		= 3,	/* resource -> its length and flags */
	BPF_KEXEC_BIND_KERNEL	= 4,	/* range is the kernel */
	BPF_KEXEC_BIND_INITRD	= 5,	/* range is the initrd */
	BPF_KEXEC_BIND_CMDLINE	= 6,	/* range is the command line */
	BPF_KEXEC_PREPEND_INITRD = 7,	/* range goes before the initrd */
	BPF_KEXEC_LOG		= 8,	/* buffer -> line of the log */
};

/* algorithm of bpf_kexec_decompress() */
enum bpf_kexec_algo {
	BPF_KEXEC_BY_MAGIC	= 0,
	BPF_KEXEC_GZIP		= 1,
	BPF_KEXEC_ZSTD		= 2,
	BPF_KEXEC_XZ		= 3,
	BPF_KEXEC_LZ4		= 4,	/* the legacy frame */
	BPF_KEXEC_LZO		= 5,	/* in a file of lzop */
};

/* flags of bpf_kexec_decompress() */
#define BPF_KEXEC_EXACT		(1ULL << 0)	/* the output has exactly this length */

/* mode of bpf_kexec_initrd_append(): position of the mode of the file's directory */
#define BPF_KEXEC_DIR_MODE_SHIFT	16

/* flags of bpf_kexec_read_fd() */
#define BPF_KEXEC_VERIFY_PE	(1ULL << 0)	/* a PE file with a valid signature */
#define BPF_KEXEC_VERIFY_SHA256	(1ULL << 1)	/* a file with the SHA-256 in a range */

/**
 * struct bpf_kexec_test - ctx_in and ctx_out of BPF_PROG_TEST_RUN
 * @kernel_len: in: zero; out: length of the kernel
 * @initrd_len: in: of the caller's initrd; out: of the final one
 * @cmdline_len: in: of the caller's command line; out: of the final one
 * @nsecs: in: zero; out: duration of one run
 * @ctx: in: flags, level, digest and key, else zero; out: the context of the run
 *
 * Grows at the end, as @ctx does.
 *
 * data_in is the image, the caller's initrd and the caller's command line, one after the other;
 * data_out the final kernel, initrd and command line. With BPF_KEXEC_CTX_SIGNED the image counts
 * as verified.
 */
struct bpf_kexec_test {
	__u64 kernel_len;
	__u64 initrd_len;
	__u64 cmdline_len;
	__u64 nsecs;
	struct bpf_kexec_ctx ctx;
};

#endif /* _UAPI_LINUX_KEXEC_BPF_H */
