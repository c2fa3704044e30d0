// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit benchmark of what bpf_kexec_decompress() does, against calls of the decoders that it uses.
 *
 * decompress_kunit.files=PATH,... on the kernel's command line names payloads, in the form in which
 * zboot images have them: what the tool wrote on its standard output, and behind it, but for gzip,
 * the length of the uncompressed. Each round of each payload prints a line:
 *
 *	# decompress: PATH BYTES KEXEC DECODER CHECKSUM
 *
 * BYTES are those of the output, all else are nanoseconds. KEXEC is decompress::run() with a buffer
 * for the output at hand. DECODER is the library into the same buffer, called as seldom as the
 * format allows, with its workspace set up before. CHECKSUM is what of checking the output the
 * library leaves to its caller, or 0. KEXEC and DECODER take turns in going first.
 */
#include <kunit/test.h>
#include <linux/init.h>
#include <linux/initrd.h>
#include <linux/kernel_read_file.h>
#include <linux/kexec_bpf.h>
#include <linux/module.h>
#include <linux/timekeeping.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>

static char *files[32];
static int file_cnt;
module_param_array(files, charp, &file_cnt, 0444);
MODULE_PARM_DESC(files, "Payloads to decompress");

static uint rounds = 2;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "Times that each is measured");

struct payload {
	const u8 *data;
	size_t len;
	u8 *out;
	size_t out_len;
	void *workspace;
};

static s64 kexec_ns(struct payload *p)
{
	s64 start = ktime_get_ns();
	int err = kexec_bpf_rs_bench(p->data, p->len, p->out, p->out_len);
	s64 end = ktime_get_ns();

	if (err)
		p->out = NULL;	/* it was freed */
	return err ?: end - start;
}

/* Of gzip without a name: the header, and the trailer of checksum and length. */
enum { GZIP_HEADER = 10, GZIP_TRAILER = 8 };

static s64 inflate_ns(struct payload *p)
{
	z_stream stream = {
		.next_in	= p->data + GZIP_HEADER,
		.avail_in	= p->len - GZIP_HEADER - GZIP_TRAILER,
		.next_out	= p->out,
		.avail_out	= p->out_len,
		.workspace	= p->workspace,
	};
	s64 start, end;
	int status;

	zlib_inflateInit2(&stream, -MAX_WBITS);
	start = ktime_get_ns();
	status = zlib_inflate(&stream, Z_FINISH);
	end = ktime_get_ns();
	return status == Z_STREAM_END && !stream.avail_out ? end - start : -EBADMSG;
}

static s64 crc32_ns(struct payload *p)
{
	s64 start = ktime_get_ns();
	u32 crc = ~crc32_le(~0, p->out, p->out_len);
	s64 end = ktime_get_ns();

	return crc == get_unaligned_le32(p->data + p->len - GZIP_TRAILER) ? end - start : -EBADMSG;
}

static s64 unzstd_ns(struct payload *p)
{
	zstd_dctx *dctx = zstd_init_dctx(p->workspace, zstd_dctx_workspace_bound());
	s64 start = ktime_get_ns();
	size_t len = zstd_decompress_dctx(dctx, p->out, p->out_len, p->data, p->len);
	s64 end = ktime_get_ns();

	return len == p->out_len ? end - start : -EBADMSG;
}

static s64 unxz_ns(struct payload *p)
{
	struct xz_buf buf = {
		.in		= p->data,
		.in_size	= p->len,
		.out		= p->out,
		.out_size	= p->out_len,
	};
	struct xz_dec *xz = xz_dec_init(XZ_SINGLE, 0);
	enum xz_ret status;
	s64 start, end;

	if (!xz)
		return -ENOMEM;
	start = ktime_get_ns();
	status = xz_dec_run(xz, &buf);
	end = ktime_get_ns();
	xz_dec_end(xz);
	return status == XZ_STREAM_END && buf.out_pos == p->out_len ? end - start : -EBADMSG;
}

/* The magic, and blocks of a length and as many bytes. */
static s64 unlz4_ns(struct payload *p)
{
	const u8 *at = p->data + sizeof(u32), *end = p->data + p->len;
	size_t made = 0;
	s64 start = ktime_get_ns();

	while (at < end) {
		u32 len = get_unaligned_le32(at);
		int n = LZ4_decompress_safe(at + sizeof(u32), p->out + made, len,
					    min_t(size_t, p->out_len - made, SZ_8M));

		if (n < 0)
			return -EBADMSG;
		made += n;
		at += sizeof(u32) + len;
	}
	return made == p->out_len ? ktime_get_ns() - start : -EBADMSG;
}

/* A header without a name, and blocks of two lengths, a checksum, and the bytes. */
enum { LZOP_HEADER = 38 };

static s64 unlzo_ns(struct payload *p)
{
	const u8 *at = p->data + LZOP_HEADER;
	size_t made = 0;
	s64 start = ktime_get_ns();

	while (made < p->out_len) {
		size_t out_len = get_unaligned_be32(at), len = get_unaligned_be32(at + 4);

		at += 12;
		if (len == out_len)
			memcpy(p->out + made, at, len);
		else if (lzo1x_decompress_safe(at, len, p->out + made, &out_len) != LZO_E_OK)
			return -EBADMSG;
		made += out_len;
		at += len;
	}
	return ktime_get_ns() - start;
}

static s64 adler32_ns(struct payload *p)
{
	s64 start = ktime_get_ns();

	kexec_bpf_adler32(p->out, p->out_len);
	return ktime_get_ns() - start;
}

static const struct decoder {
	u8 magic[2];
	s64 (*ns)(struct payload *p);
	s64 (*checksum_ns)(struct payload *p);
} decoders[] = {
	{ { 0x1f, 0x8b }, inflate_ns, crc32_ns },
	{ { 0x28, 0xb5 }, unzstd_ns },
	{ { 0xfd, '7' }, unxz_ns },
	{ { 0x02, 0x21 }, unlz4_ns },
	{ { 0x89, 'L' }, unlzo_ns, adler32_ns },
};

/* None finds the output of the one before. */
static s64 measure(s64 (*ns)(struct payload *p), struct payload *p)
{
	if (!p->out)
		return -EBADMSG;
	memset(p->out, 0, p->out_len);
	return ns(p);
}

static void measure_rounds(struct kunit *test, const char *path, struct payload *p,
			   const struct decoder *decoder)
{
	s64 kexec = 0, decode, checksum = 0;
	uint round;

	for (round = 0; round < rounds; round++) {
		if (round % 2)
			kexec = measure(kexec_ns, p);
		decode = measure(decoder->ns, p);
		if (decode >= 0 && decoder->checksum_ns)
			checksum = decoder->checksum_ns(p);
		if (!(round % 2))
			kexec = measure(kexec_ns, p);
		KUNIT_EXPECT_GE_MSG(test, min3(kexec, decode, checksum), 0, "%s", path);
		if (min3(kexec, decode, checksum) < 0)
			return;
		kunit_info(test, "%s %zu %lld %lld %lld", path, p->out_len, kexec, decode,
			   checksum);
	}
}

static void measure_file(struct kunit *test, const char *path)
{
	const struct decoder *decoder = decoders;
	struct payload p = {};
	void *data = NULL;
	ssize_t len;

	/* Tests run in a thread that sees no files. */
	len = kernel_read_file_from_path_initns(path, 0, &data, INT_MAX, NULL, READING_UNKNOWN);
	KUNIT_ASSERT_GT_MSG(test, len, LZOP_HEADER, "%s", path);
	while (decoder < decoders + ARRAY_SIZE(decoders) && memcmp(data, decoder->magic, 2))
		decoder++;
	p.data = data;
	p.len = decoder == decoders ? len : len - sizeof(u32);
	p.out_len = get_unaligned_le32(p.data + len - sizeof(u32));
	p.out = vmalloc(p.out_len);
	p.workspace = vmalloc(max_t(size_t, zlib_inflate_workspacesize(),
				    zstd_dctx_workspace_bound()));
	if (decoder == decoders + ARRAY_SIZE(decoders) || !p.out || !p.workspace)
		KUNIT_FAIL(test, "%s: not compressed, or no memory", path);
	else
		measure_rounds(test, path, &p, decoder);
	vfree(p.workspace);
	vfree(p.out);
	vfree(data);
}

static void decompress(struct kunit *test)
{
	int i;

	if (!file_cnt)
		kunit_skip(test, "no files are named");
	wait_for_initramfs();
	for (i = 0; i < file_cnt; i++)
		measure_file(test, files[i]);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(decompress),
	{}
};

static struct kunit_suite suite = {
	.name = "kexec_bpf_benchmark",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit benchmark of decompression for kexec");
MODULE_LICENSE("GPL");
