// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kfuncs of BPF_PROG_TYPE_KEXEC. Documentation/bpf/kexec_programs.rst shows these comments.
 * Each kfunc can also return -ENOMEM and -EINTR, which end the load. Pointers need no alignment.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/init.h>
#include <linux/kexec_bpf.h>

__bpf_kfunc_start_defs();

/**
 * bpf_kexec_carrier() - copy bytes, query a resource, or bind a range
 * @ctx: the program's context
 * @op: an enum bpf_kexec_op, see below
 * @range: the range that @op uses; its flags have to be 0
 * @buf__nullable: the program's buffer, for GET, PUT and LOG; may be NULL for the others
 * @buf__sz: its length in bytes, at most KEXEC_BPF_GET_MAX
 *
 * BPF_KEXEC_GET
 *   copies @range to the start of the buffer.
 * BPF_KEXEC_PUT
 *   makes a resource of all bytes of the buffer, and sets @range to the whole of it. The resource
 *   is not verified.
 * BPF_KEXEC_STAT
 *   sets @range to the whole of the resource that it names, and BPF_KEXEC_RANGE_VERIFIED in its
 *   flags if all of that is verified. Offset and length on entry do not matter. The flag has to be
 *   cleared before the range is used again. It is never set for initrd and command line.
 * BPF_KEXEC_BIND_KERNEL
 *   makes @range the kernel, in place of the one that was bound; an empty range drops that. No
 *   byte is copied. The range has to begin at a multiple of 8 in memory. The image does, and so
 *   does every resource that has a handle.
 * BPF_KEXEC_BIND_INITRD
 *   makes @range the initrd, in place of the initrd so far; an empty range drops that.
 * BPF_KEXEC_BIND_CMDLINE
 *   makes @range the command line, in place of that so far; an empty range drops that.
 * BPF_KEXEC_PREPEND_INITRD
 *   puts @range before the initrd so far, which then begins at a multiple of 4. The next kernel
 *   finds microcode at the very start alone. An empty range changes nothing.
 * BPF_KEXEC_LOG
 *   writes the text in the buffer to the caller's log, as a line "program says: TEXT". It has at
 *   most KEXEC_BPF_LINE_MAX bytes; those that are not printable ASCII are shown as '?'.
 *
 * Return:
 * * the number of bytes for GET, the handle for PUT, else 0
 * * -ENOENT, -ERANGE: see Ranges; -ERANGE also if the buffer of GET is shorter than @range
 * * -EINVAL: the operation is unknown, a flag is set, the buffer is too long, or a kernel is not
 *   aligned
 * * -ELIBBAD: the command line has a NUL or a newline
 * * -EACCES: signatures are enforced, and a byte of the kernel is not verified; ends the load
 * * -EFBIG: over a limit: handles, memory, length of the command line, pieces or length of the
 *   initrd; ends the load
 */
__bpf_kfunc s64 bpf_kexec_carrier(struct bpf_kexec_ctx *ctx, u64 op, struct bpf_kexec_range *range,
				  void *buf__nullable, u64 buf__sz)
{
	return kexec_bpf_rs_carrier(ctx, op, range, buf__nullable, buf__sz);
}

/**
 * bpf_kexec_decompress() - decompress a range to a new resource
 * @ctx: the program's context
 * @src: one gzip member, zstd frame, xz stream, lz4 legacy frame or lzop file, with nothing after
 *   it; its flags have to be 0
 * @algo: an enum bpf_kexec_algo; BPF_KEXEC_BY_MAGIC selects it by the first bytes
 * @out_len: the most bytes that the result may have, 0 for KEXEC_BPF_IMAGE_MAX
 * @flags: BPF_KEXEC_EXACT: the result has exactly @out_len bytes; or 0
 *
 * The result is verified if @src is. Memory is allocated for the length that the stream records. A
 * stream can lack it, as with lz4 and often with zstd. Then memory is allocated for as much as the
 * blocks can hold, or for @out_len and at most 8 MiB more if that is less.
 *
 * Return:
 * * the handle of the result
 * * -ENOENT, -ERANGE: see Ranges
 * * -EINVAL: unknown flags
 * * -ENOPKG: the algorithm, or a feature of it such as a dictionary, is not supported
 * * -ELIBBAD: @src is malformed, is not in the format of @algo, does not match a checksum, or
 *   decompresses to another length than BPF_KEXEC_EXACT demands
 * * -EFBIG: the result is too long, or over a limit: handles, memory, length of an xz stream; ends
 *   the load
 */
__bpf_kfunc s64 bpf_kexec_decompress(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *src,
				     u64 algo, u64 out_len, u64 flags)
{
	return kexec_bpf_rs_decompress(ctx, src, algo, out_len, flags);
}

/**
 * bpf_kexec_initrd_append() - append a range to the initrd
 * @ctx: the program's context
 * @src: a cpio archive, compressed or not, which the kernel does not read; with a path, the content
 *   of a file; its flags have to be 0
 * @path__nullable: NULL; or the path of that file, for which a cpio archive is made
 * @path__sz: length of the path in bytes, without NUL
 * @mode: permissions of the file, such as 0400, and those of its directory, see below; 0 without a
 *   path
 *
 * The archive begins at a multiple of 4, and at least 4 zeroes are between it and an archive before
 * it that was not made of a file: without them, the kernel does not find the end of one that lz4
 * compressed. An empty @src without a path changes nothing.
 *
 * A path is relative, and has 1 to KEXEC_BPF_PATH_MAX bytes of printable ASCII. No part of it is
 * empty, "." or "..", and the first is not "TRAILER!!!". Its directories are made, with mode 0555.
 * The last one, which the file is in, gets the mode in bits 16 to 31 of @mode instead if these are
 * not 0, as in 0500 << BPF_KEXEC_DIR_MODE_SHIFT | 0400. All belong to root, and all times are 0, so
 * that the same file makes the same archive.
 *
 * Return:
 * * 0
 * * -ENOENT, -ERANGE: see Ranges
 * * -EINVAL: a flag is set, or there is a mode without a path
 * * -ELIBBAD: the path breaks a rule; the mode has a bit that is not in 07777 or
 *   07777 << BPF_KEXEC_DIR_MODE_SHIFT, or is for a directory too, and the path has none
 * * -EFBIG: over a limit: path, pieces or length of the initrd; ends the load
 */
__bpf_kfunc s64 bpf_kexec_initrd_append(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *src,
					void *path__nullable, u64 path__sz, u64 mode)
{
	return kexec_bpf_rs_initrd_append(ctx, src, path__nullable, path__sz, mode);
}

/**
 * bpf_kexec_cmdline_append() - append text to the command line
 * @ctx: the program's context
 * @text: the text
 * @text__sz: its length in bytes
 * @flags: 0
 *
 * A space is put before the text, unless the text or the command line is empty.
 *
 * Return:
 * * 0
 * * -EINVAL: unknown flags
 * * -ELIBBAD: the text has a NUL or a newline, where kernels would cut the command line
 * * -EFBIG: the command line would be too long; ends the load
 */
__bpf_kfunc s64 bpf_kexec_cmdline_append(struct bpf_kexec_ctx *ctx, void *text, u64 text__sz,
					 u64 flags)
{
	return kexec_bpf_rs_cmdline_append(ctx, text, text__sz, flags);
}

/**
 * bpf_kexec_read_fd() - read one of the caller's files
 * @ctx: the program's context
 * @fd: its descriptor, for instance from the private data
 * @flags: one of these, or 0
 * @digest__nullable: the expected SHA-256 for BPF_KEXEC_VERIFY_SHA256, its flags have to be 0; else
 *   NULL
 *
 * BPF_KEXEC_VERIFY_PE
 *   The file has to be a PE image that keeps the same rules as the image, with a valid signature,
 *   even where signatures are not enforced. The bytes that the signature covers are verified.
 * BPF_KEXEC_VERIFY_SHA256
 *   The file has to have this SHA-256, even where signatures are not enforced. All of it is
 *   verified if the 32 bytes of the digest are. Where signatures are enforced, they have to be.
 *
 * A descriptor can be taken once in a load, over all levels, even if it is not open. Security
 * modules and IMA see a kernel image if a flag is set, otherwise an initrd. Without a flag, the
 * file may be empty.
 *
 * Return:
 * * the handle of the file's content
 * * -ENOENT, -ERANGE: see Ranges
 * * -EINVAL: unknown flags, a digest without BPF_KEXEC_VERIFY_SHA256 or the other way around, or
 *   not a number that a descriptor can have
 * * -EBADF: not a regular file that is open for reading, or already taken
 * * -EBUSY: the file is open for writing
 * * -EIO: the file cannot be read, or changed meanwhile
 * * -EKEYREJECTED: no trusted key signed the file, it has another digest, or a security module
 *   rejected it
 * * -EKEYREVOKED: the file's digest or its signer was revoked
 * * -ENOEXEC: not a PE image, or an empty file
 * * -ELIBBAD: the image or its signature is malformed, or the digest does not have 32 bytes
 * * -ENOPKG: an algorithm of the signature is not supported
 * * -EACCES: signatures are enforced, and a byte of the digest is not verified; ends the load
 * * -EFBIG: over a limit: length of the file, files, handles, memory; ends the load
 */
__bpf_kfunc s64 bpf_kexec_read_fd(struct bpf_kexec_ctx *ctx, s64 fd, u64 flags,
				  struct bpf_kexec_range *digest__nullable)
{
	return kexec_bpf_rs_read_fd(ctx, fd, flags, digest__nullable);
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
