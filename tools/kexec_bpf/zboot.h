/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The EFI zboot image: a compressed kernel behind a small decompressor, which is of no
 * use to kexec. Its header, in the first bytes of the DOS header, says where the payload is.
 */
#ifndef _KEXEC_BPF_ZBOOT_H
#define _KEXEC_BPF_ZBOOT_H

#include "kexec_bpf.bpf.h"

#define ZBOOT_MAGIC	0x676d697a00005a4dULL	/* "MZ\0\0zimg" */
#define ZBOOT_GZIP	0x70697a67		/* "gzip" */
#define ZBOOT_ZSTD	0x6474737a		/* "zstd", whatever its level */
#define ZBOOT_LZ4	0x00347a6c		/* "lz4" */
#define ZBOOT_LZO	0x006f7a6c		/* "lzo" */
#define ZBOOT_XZ	0x656b7a78		/* "xzkern" */

struct zboot_header {
	__u64 magic;
	__u32 payload_offset;
	__u32 payload_size;
	__u64 reserved;
	__u32 compression;	/* the first letters of its name */
	__u32 compression_rest;
};

/*
 * Decompresses the payload of the zboot image at @image and sets @kernel to the result.
 * Returns 0, a negative errno or an enum kexec_refusal.
 */
static __always_inline __s64 zboot_decompress(struct bpf_kexec_ctx *ctx,
					      const struct bpf_kexec_range *image,
					      struct bpf_kexec_range *kernel)
{
	struct bpf_kexec_range payload = { .resource = image->resource };
	struct zboot_header header = {};
	__u64 size_offset, algo;
	__u32 kernel_size = 0;
	__s64 ret;

	if (image->len < sizeof(header))
		return KEXEC_REFUSE_MALFORMED;
	ret = kexec_get(ctx, image->resource, image->offset, &header, sizeof(header));
	if (ret < 0)
		return ret;
	if (header.magic != ZBOOT_MAGIC)
		return KEXEC_REFUSE_MALFORMED;

	/*
	 * The last word of a gzip payload is the kernel's size. What other compressions
	 * lack is appended to the payload, and payload_size does not count it.
	 */
	size_offset = (__u64)header.payload_offset + header.payload_size;
	switch (header.compression) {
	case ZBOOT_GZIP:
		algo = BPF_KEXEC_GZIP;
		size_offset -= sizeof(kernel_size);
		break;
	case ZBOOT_ZSTD:
		algo = BPF_KEXEC_ZSTD;
		break;
	case ZBOOT_LZ4:
		algo = BPF_KEXEC_LZ4;
		break;
	case ZBOOT_LZO:
		algo = BPF_KEXEC_LZO;
		break;
	case ZBOOT_XZ:
		algo = BPF_KEXEC_XZ;
		break;
	default:
		return KEXEC_REFUSE_ALGORITHM;
	}
	if (header.payload_size < sizeof(kernel_size) ||
	    size_offset + sizeof(kernel_size) > image->len)
		return KEXEC_REFUSE_MALFORMED;
	ret = kexec_get(ctx, image->resource, image->offset + size_offset, &kernel_size,
			sizeof(kernel_size));
	if (ret < 0)
		return ret;

	payload.offset = image->offset + header.payload_offset;
	payload.len = header.payload_size;
	ret = bpf_kexec_decompress(ctx, &payload, algo, kernel_size, BPF_KEXEC_EXACT);
	if (ret < 0)
		return ret;
	*kernel = (struct bpf_kexec_range) { .resource = ret, .len = kernel_size };
	return 0;
}

#endif /* _KEXEC_BPF_ZBOOT_H */
