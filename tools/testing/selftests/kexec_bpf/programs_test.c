// SPDX-License-Identifier: GPL-2.0
/*
 * The programs of tools/kexec_bpf as plain C, with kfuncs that work on buffers of this process.
 * This shows that they work where there is neither cargo nor a kernel that has kexec_bpf. Tests
 * of new decisions belong in src/bin/kexec_bpf_test/programs/, which uses the kernel's kfuncs.
 * If PROGRAMS_TEST_UKI=FILE is in the environment, the program for UKIs also runs on that image.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kselftest_harness.h"

/* These replace libbpf's bpf_helpers.h, whose functions are calls into the kernel. */
#define __BPF_HELPERS__
#define SEC(name)
#define __ksym

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

#include "../../../kexec_bpf/uki.bpf.c"
#define _license zboot_license
#include "../../../kexec_bpf/zboot.bpf.c"

#define MACHINE		0x8664
#define HANDLE		77

/* What the kernel would keep of a load: the ranges that were bound, not their contents. */
static struct {
	__u8 *image;
	__u64 image_len;
	__u64 initrd_len;
	char cmdline[CMDLINE_MAX];
	__u64 cmdline_len;

	struct bpf_kexec_range kernel;
	struct bpf_kexec_range initrd[2];
	int initrds;
	struct bpf_kexec_range compressed;
	__u64 algo;
} load;

__s64 bpf_kexec_carrier(struct bpf_kexec_ctx *ctx, __u64 op, struct bpf_kexec_range *range,
			void *buf, __u64 buf_len)
{
	switch (op) {
	case BPF_KEXEC_GET:
		if (range->resource != BPF_KEXEC_IMAGE)
			return -ENOENT;
		if (range->offset > load.image_len || range->len > load.image_len - range->offset)
			return -ERANGE;
		if (range->len > buf_len)
			return -EINVAL;
		memcpy(buf, load.image + range->offset, range->len);
		return range->len;
	case BPF_KEXEC_STAT:
		range->len = load.cmdline_len;
		if (range->resource == BPF_KEXEC_INITRD)
			range->len = load.initrd_len;
		return 0;
	case BPF_KEXEC_BIND_KERNEL:
		load.kernel = *range;
		return 0;
	case BPF_KEXEC_BIND_INITRD:
		load.initrd[0] = *range;
		load.initrds = !!range->len;
		return 0;
	}
	return -EINVAL;
}

__s64 bpf_kexec_initrd_append(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *src, void *path,
			      __u64 path_len, __u64 mode)
{
	load.initrd[load.initrds++] = *src;
	return 0;
}

__s64 bpf_kexec_cmdline_append(struct bpf_kexec_ctx *ctx, void *text, __u64 text_len, __u64 flags)
{
	memcpy(load.cmdline, text, text_len);
	load.cmdline_len = text_len;
	return 0;
}

__s64 bpf_kexec_decompress(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *src, __u64 algo,
			   __u64 out_len, __u64 flags)
{
	load.compressed = *src;
	load.algo = algo;
	return HANDLE;
}

static int run(int (*program)(struct bpf_kexec_ctx *), __u32 flags)
{
	struct bpf_kexec_ctx ctx = {
		.image_len = load.image_len,
		.flags = flags,
		.machine = MACHINE,
	};

	return program(&ctx);
}

/* A PE file. The contents of its sections follow each other from CONTENTS_AT on. */
#define PE_AT		0x80
#define TABLE_AT	(PE_AT + sizeof(struct pe_header) + 112)
#define CONTENTS_AT	8192

static __u8 file[16384];

static void image_begin(void)
{
	struct pe_header pe = {
		.magic = PE_MAGIC,
		.machine = MACHINE,
		.optional_header_size = 112,
	};
	__u32 pe_at = PE_AT;

	memset(&load, 0, sizeof(load));
	memset(file, 0, sizeof(file));
	memcpy(file + PE_OFFSET_AT, &pe_at, sizeof(pe_at));
	memcpy(file + PE_AT, &pe, sizeof(pe));
	load.image = file;
	load.image_len = CONTENTS_AT;
}

static struct pe_header *image_header(void)
{
	return (struct pe_header *)(file + PE_AT);
}

/* Returns the offset of the contents. */
static __u32 image_section(const char *name, const void *contents, __u32 len, __u32 virtual_len)
{
	struct pe_section section = {
		.virtual_size = virtual_len,
		.raw_data_size = len,
		.raw_data = load.image_len,
	};
	__u32 i = image_header()->sections++;

	memcpy(&section.name, name, strnlen(name, sizeof(section.name)));
	memcpy(file + TABLE_AT + i * sizeof(section), &section, sizeof(section));
	memcpy(file + load.image_len, contents, len);
	load.image_len += len;
	return section.raw_data;
}

static __u32 image_text(const char *name, const char *text)
{
	return image_section(name, text, strlen(text), strlen(text));
}

static void expect_range(struct __test_metadata *_metadata, const struct bpf_kexec_range *range,
			 __u64 offset, __u64 len)
{
	EXPECT_EQ(BPF_KEXEC_IMAGE, range->resource);
	EXPECT_EQ(0, range->flags);
	EXPECT_EQ(offset, range->offset);
	EXPECT_EQ(len, range->len);
}

static void expect_cmdline(struct __test_metadata *_metadata, const char *text)
{
	EXPECT_EQ(strlen(text), load.cmdline_len);
	EXPECT_EQ(0, memcmp(text, load.cmdline, strlen(text)));
}

TEST(uki_complete)
{
	__u32 kernel, initrd;

	image_begin();
	image_text(".text", "stub");
	kernel = image_text(".linux", "kernel");
	image_text(".linux", "another kernel");
	initrd = image_text(".initrd", "initrd");
	image_text(".cmdline", "root=/dev/sda quiet");
	image_text(".profile", "ID=other");
	image_text(".ucode", "of the profile");
	ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	expect_range(_metadata, &load.kernel, kernel, 6);
	EXPECT_EQ(1, load.initrds);
	expect_range(_metadata, &load.initrd[0], initrd, 6);
	expect_cmdline(_metadata, "root=/dev/sda quiet");
}

TEST(uki_kernel_alone)
{
	image_begin();
	image_text(".linux", "kernel");
	image_text(".initrd", "");
	image_text(".cmdline", "");
	ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	EXPECT_EQ(0, load.initrds);
	EXPECT_EQ(0, load.cmdline_len);
}

TEST(uki_microcode_comes_first)
{
	__u32 initrd, ucode;

	image_begin();
	image_text(".linux", "kernel");
	initrd = image_text(".initrd", "initrd");
	ucode = image_text(".ucode", "ucode");
	ASSERT_EQ(0, run(uki, 0));
	ASSERT_EQ(2, load.initrds);
	expect_range(_metadata, &load.initrd[0], ucode, 5);
	expect_range(_metadata, &load.initrd[1], initrd, 6);

	image_begin();
	image_text(".linux", "kernel");
	ucode = image_text(".ucode", "ucode");
	ASSERT_EQ(0, run(uki, 0));
	ASSERT_EQ(1, load.initrds);
	expect_range(_metadata, &load.initrd[0], ucode, 5);
}

TEST(uki_padding_is_not_contents)
{
	char padded[512] = "kernel";
	__u32 kernel;

	image_begin();
	kernel = image_section(".linux", padded, sizeof(padded), 6);
	ASSERT_EQ(0, run(uki, 0));
	expect_range(_metadata, &load.kernel, kernel, 6);

	image_begin();
	kernel = image_section(".linux", padded, sizeof(padded), sizeof(padded) + 1);
	ASSERT_EQ(0, run(uki, 0));
	expect_range(_metadata, &load.kernel, kernel, sizeof(padded));
}

TEST(uki_refused)
{
	image_begin();
	image_text(".linux", "kernel");
	image_header()->machine = MACHINE + 1;
	EXPECT_EQ(KEXEC_REFUSE_MACHINE, run(uki, 0));

	image_begin();
	image_text(".linux", "kernel");
	image_header()->magic++;
	EXPECT_EQ(KEXEC_REFUSE_MALFORMED, run(uki, 0));

	image_begin();
	EXPECT_EQ(KEXEC_REFUSE_NO_KERNEL, run(uki, 0));
	image_text(".linux2", "kernel");
	image_text(".linux", "");
	EXPECT_EQ(KEXEC_REFUSE_NO_KERNEL, run(uki, 0));
	image_text(".profile", "ID=other");
	image_text(".linux", "kernel");
	EXPECT_EQ(KEXEC_REFUSE_NO_KERNEL, run(uki, 0));
}

TEST(uki_sections_limit)
{
	image_begin();
	image_text(".linux", "kernel");
	image_header()->sections = PE_SECTIONS_MAX - 1;
	image_text(".cmdline", "last");
	ASSERT_EQ(0, run(uki, 0));
	expect_cmdline(_metadata, "last");

	image_text(".profile", "ID=other");
	EXPECT_EQ(KEXEC_REFUSE_MALFORMED, run(uki, 0));
}

TEST(uki_truncated)
{
	__u64 len;

	image_begin();
	image_text(".linux", "kernel");
	len = TABLE_AT + sizeof(struct pe_section);
	for (load.image_len = 0; load.image_len < len; load.image_len++)
		EXPECT_EQ(-ERANGE, run(uki, 0));
	EXPECT_EQ(0, run(uki, 0));

	memset(file + PE_OFFSET_AT, 0xff, 4);
	EXPECT_EQ(-ERANGE, run(uki, 0));
}

TEST(uki_and_the_callers)
{
	for (int own = 0; own < 2; own++) {
		image_begin();
		image_text(".linux", "kernel");
		if (own)
			image_text(".initrd", "initrd");
		load.initrd_len = 1;
		EXPECT_EQ(own ? KEXEC_REFUSE_INITRD : 0, run(uki, BPF_KEXEC_CTX_ENFORCED));
		EXPECT_EQ(0, run(uki, 0));
		EXPECT_EQ(0, load.initrds);
		EXPECT_EQ(1, load.initrd_len);

		image_begin();
		image_text(".linux", "kernel");
		if (own)
			image_text(".cmdline", "own");
		load.cmdline_len = 1;
		EXPECT_EQ(own ? KEXEC_REFUSE_CMDLINE : 0, run(uki, BPF_KEXEC_CTX_ENFORCED));
		EXPECT_EQ(0, run(uki, 0));
		EXPECT_EQ(1, load.cmdline_len);
	}
}

TEST(uki_cmdline_blanks)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "a", "a" },
		{ "\n \ta", "a" },
		{ "a\n", "a" },
		{ " a\177 ", "a" },
		{ "a  b\tc\nd\177e", "a  b c d e" },
		{ "\xc3\xa4\xff", "\xc3\xa4\xff" },
		{ " ", "" },
		{ "\n\n", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		image_begin();
		image_text(".linux", "kernel");
		image_text(".cmdline", cases[i].in);
		ASSERT_EQ(0, run(uki, 0));
		expect_cmdline(_metadata, cases[i].out);
	}

	image_begin();
	image_text(".linux", "kernel");
	image_section(".cmdline", "a \0b", 4, 4);
	ASSERT_EQ(0, run(uki, 0));
	expect_cmdline(_metadata, "a");
}

TEST(uki_cmdline_limit)
{
	char text[CMDLINE_MAX + 1];

	memset(text, 'x', sizeof(text));
	image_begin();
	image_text(".linux", "kernel");
	image_section(".cmdline", text, CMDLINE_MAX, CMDLINE_MAX);
	ASSERT_EQ(0, run(uki, 0));
	EXPECT_EQ(CMDLINE_MAX, load.cmdline_len);

	image_begin();
	image_text(".linux", "kernel");
	image_section(".cmdline", text, CMDLINE_MAX + 1, CMDLINE_MAX + 1);
	EXPECT_EQ(KEXEC_REFUSE_TOO_LONG, run(uki, 0));
}

TEST(uki_killed)
{
	image_begin();
	image_text(".linux", "kernel");
	killed = true;
	EXPECT_EQ(-EINTR, run(uki, 0));
	killed = false;
}

TEST(uki_of_the_environment)
{
	const char *path = getenv("PROGRAMS_TEST_UKI");
	FILE *image;

	if (!path)
		SKIP(return, "PROGRAMS_TEST_UKI is not set");
	memset(&load, 0, sizeof(load));
	load.image = malloc(KEXEC_BPF_IMAGE_MAX);
	image = fopen(path, "r");
	ASSERT_NE(NULL, load.image);
	ASSERT_NE(NULL, image);
	load.image_len = fread(load.image, 1, KEXEC_BPF_IMAGE_MAX, image);
	fclose(image);
	EXPECT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	TH_LOG("kernel %#llx+%#llx, initrd %#llx+%#llx, command line '%.*s'",
	       load.kernel.offset, load.kernel.len, load.initrd[0].offset, load.initrd[0].len,
	       (int)load.cmdline_len, load.cmdline);
	free(load.image);
}

static struct zboot_header *const zboot_image = (struct zboot_header *)file;

/* A zboot image: 100 bytes of payload at 4096 that end in a kernel size, and another size. */
static void zboot_begin(const char *compression)
{
	__u32 size_inside = 0x1111, size_behind = 0x2222;

	memset(&load, 0, sizeof(load));
	*zboot_image = (struct zboot_header) {
		.magic = ZBOOT_MAGIC,
		.payload_offset = 4096,
		.payload_size = 100,
	};
	memcpy(&zboot_image->compression, compression, strnlen(compression, 4));
	memcpy(file + 4096 + 96, &size_inside, sizeof(size_inside));
	memcpy(file + 4096 + 100, &size_behind, sizeof(size_behind));
	load.image = file;
	load.image_len = 4096 + 104;
}

TEST(zboot_compressions)
{
	static const struct {
		const char *name;
		__u64 algo, kernel_len;
	} cases[] = {
		{ "gzip", BPF_KEXEC_GZIP, 0x1111 },
		{ "zstd", BPF_KEXEC_ZSTD, 0x2222 },
		{ "zstd22", BPF_KEXEC_ZSTD, 0x2222 },
		{ "lz4", BPF_KEXEC_LZ4, 0x2222 },
		{ "lzo", BPF_KEXEC_LZO, 0x2222 },
		{ "xzkern", BPF_KEXEC_XZ, 0x2222 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		zboot_begin(cases[i].name);
		ASSERT_EQ(0, run(zboot, 0));
		EXPECT_EQ(cases[i].algo, load.algo);
		expect_range(_metadata, &load.compressed, 4096, 100);
		EXPECT_EQ(HANDLE, load.kernel.resource);
		EXPECT_EQ(0, load.kernel.offset);
		EXPECT_EQ(cases[i].kernel_len, load.kernel.len);
	}
	for (size_t i = 0; i < 3; i++) {
		const char *const others[] = { "", "xz", "LZ4" };

		zboot_begin(others[i]);
		EXPECT_EQ(KEXEC_REFUSE_ALGORITHM, run(zboot, 0));
	}
}

TEST(zboot_refused)
{
	zboot_begin("zstd");
	file[0]++;
	EXPECT_EQ(KEXEC_REFUSE_MALFORMED, run(zboot, 0));

	for (__u64 len = 0; len < 4096 + 104; len++) {
		zboot_begin("zstd");
		load.image_len = len;
		EXPECT_EQ(KEXEC_REFUSE_MALFORMED, run(zboot, 0));
	}
	zboot_begin("gzip");
	load.image_len = 4096 + 100;
	EXPECT_EQ(0, run(zboot, 0));
	load.image_len--;
	EXPECT_EQ(KEXEC_REFUSE_MALFORMED, run(zboot, 0));

	zboot_begin("gzip");
	zboot_image->payload_size = 4;
	EXPECT_EQ(0, run(zboot, 0));
	for (__u32 size = 0; size < 4; size++) {
		zboot_image->payload_size = size;
		EXPECT_EQ(KEXEC_REFUSE_MALFORMED, run(zboot, 0));
	}
	zboot_image->payload_size = ~0;
	EXPECT_EQ(KEXEC_REFUSE_MALFORMED, run(zboot, 0));
}

TEST_HARNESS_MAIN
