// SPDX-License-Identifier: GPL-2.0
/*
 * The programs of tools/kexec_bpf as plain C, with kfuncs that work on buffers of this process.
 * This tests their decisions in a second, where there is neither cargo nor a kernel that has
 * kexec_bpf. What only the kernel's kfuncs can show is in src/bin/kexec_bpf_test/programs/.
 * If PROGRAMS_TEST_UKI=FILE is in the environment, the program for UKIs also runs on that image.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"

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

#include "../../../kexec_bpf/uki.bpf.c"
#define _license zboot_license
#include "../../../kexec_bpf/zboot.bpf.c"

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

__s64 bpf_kexec_read_fd(struct bpf_kexec_ctx *ctx, __s64 fd, __u64 flags)
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

/* A PE file. The contents of its sections follow each other from CONTENTS_AT on. */
#define PE_AT		0x80
#define TABLE_AT	(PE_AT + sizeof(struct pe_header) + 112)
#define CONTENTS_AT	8192

static __u8 file[16384];

static void pe_begin(__u8 *pe_file)
{
	struct pe_header pe = {
		.magic = PE_MAGIC,
		.machine = MACHINE,
		.optional_header_size = 112,
	};
	__u32 pe_at = PE_AT;

	memcpy(pe_file + PE_OFFSET_AT, &pe_at, sizeof(pe_at));
	memcpy(pe_file + PE_AT, &pe, sizeof(pe));
}

static void image_begin(void)
{
	memset(&load, 0, sizeof(load));
	memset(&private_data, 0, sizeof(private_data));
	memset(files, 0, sizeof(files));
	memset(file, 0, sizeof(file));
	pe_begin(file);
	load.image = file;
	load.image_len = CONTENTS_AT;
}

static struct pe_header *image_header(void)
{
	return (struct pe_header *)(file + PE_AT);
}

/* Returns the offset of the contents. */
static __u32 pe_add(__u8 *pe_file, __u64 *pe_len, const char *name, const void *contents, __u32 len,
		    __u32 virtual_len)
{
	struct pe_header *pe = (struct pe_header *)(pe_file + PE_AT);
	struct pe_section section = {
		.virtual_size = virtual_len,
		.raw_data_size = len,
		.raw_data = *pe_len,
	};
	__u32 i = pe->sections++;

	memcpy(&section.name, name, strnlen(name, sizeof(section.name)));
	memcpy(pe_file + TABLE_AT + i * sizeof(section), &section, sizeof(section));
	memcpy(pe_file + *pe_len, contents, len);
	*pe_len += len;
	return section.raw_data;
}

static __u32 image_section(const char *name, const void *contents, __u32 len, __u32 virtual_len)
{
	return pe_add(file, &load.image_len, name, contents, len, virtual_len);
}

static __u32 image_text(const char *name, const char *text)
{
	return image_section(name, text, strlen(text), strlen(text));
}

/* Passes a file to the program. Returns the index of its item. */
static __u32 item(__u32 kind, const char *name, const void *bytes, __u64 len)
{
	__u32 i = private_data.items_len++;

	private_data.version = KEXEC_PRIVATE_VERSION;
	private_data.items[i].kind = kind;
	private_data.items[i].fd = FD + i;
	strcpy(private_data.items[i].name, name);
	files[i].bytes = bytes;
	files[i].len = len;
	return i;
}

static void expect_range(struct __test_metadata *_metadata, const struct bpf_kexec_range *range,
			 __u64 offset, __u64 len)
{
	EXPECT_EQ(BPF_KEXEC_IMAGE, range->resource);
	EXPECT_EQ(0, range->flags);
	EXPECT_EQ(offset, range->offset);
	EXPECT_EQ(len, range->len);
}

/* The pieces of the initrd, as text: their paths, if they have one, and their contents. */
static void expect_initrd(struct __test_metadata *_metadata, const char *expected)
{
	char text[1024] = "";
	size_t at = 0;

	for (int i = 0; i < load.pieces_len; i++) {
		struct piece *piece = &load.pieces[i];
		char bytes[64] = "";

		ASSERT_LE(0, get(&piece->range, bytes, sizeof(bytes) - 1));
		if (piece->mode)
			at += snprintf(text + at, sizeof(text) - at, "%s %o %o=", piece->path,
				       (int)(piece->mode >> 16), (int)piece->mode & 0xffff);
		at += snprintf(text + at, sizeof(text) - at, "%s\n", bytes);
	}
	EXPECT_STREQ(expected, text);
}

static void expect_cmdline(struct __test_metadata *_metadata, const char *text)
{
	load.cmdline[load.cmdline_len] = 0;
	EXPECT_EQ(strlen(text), load.cmdline_len);
	EXPECT_STREQ(text, load.cmdline);
}

static void given_cmdline(const char *text)
{
	strcpy(load.cmdline, text);
	load.cmdline_len = strlen(text);
}

static void given_initrd(const char *text)
{
	load.initrd = text;
	load.initrd_len = strlen(text);
}

TEST(uki_complete)
{
	__u32 kernel;

	image_begin();
	image_text(".text", "stub");
	kernel = image_text(".linux", "kernel");
	image_text(".linux", "another kernel");
	image_text(".initrd", "initrd");
	image_text(".cmdline", "root=/dev/sda quiet");
	ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	expect_range(_metadata, &load.kernel, kernel, 6);
	expect_initrd(_metadata, "initrd\n");
	expect_cmdline(_metadata, "root=/dev/sda quiet");
	EXPECT_EQ(0, load.lines_len);
}

TEST(uki_kernel_alone)
{
	image_begin();
	image_text(".linux", "kernel");
	image_text(".initrd", "");
	image_text(".cmdline", "");
	ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	expect_initrd(_metadata, "");
	expect_cmdline(_metadata, "");
}

TEST(uki_microcode_comes_first)
{
	image_begin();
	image_text(".linux", "kernel");
	image_text(".initrd", "initrd");
	image_text(".ucode", "ucode");
	ASSERT_EQ(0, run(uki, 0));
	expect_initrd(_metadata, "ucode\ninitrd\n");

	image_begin();
	image_text(".linux", "kernel");
	image_text(".ucode", "ucode");
	given_initrd("caller's");
	ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	EXPECT_EQ(8, load.initrd_len);
	expect_initrd(_metadata, "ucode\n");
}

TEST(uki_sections_that_become_files)
{
	image_begin();
	image_text(".linux", "kernel");
	image_text(".osrel", "ID=test");
	image_text(".pcrpkey", "key");
	image_text(".pcrsig", "sig");
	image_text(".initrd", "initrd");
	image_text(".profile", "ID=main");
	ASSERT_EQ(0, run(uki, 0));
	expect_initrd(_metadata, "initrd\n"
		      ".extra/tpm2-pcr-signature.json 555 444=sig\n"
		      ".extra/tpm2-pcr-public-key.pem 555 444=key\n"
		      ".extra/os-release 555 444=ID=test\n"
		      ".extra/profile 555 444=ID=main\n");
}

TEST(uki_sections_that_are_not_used)
{
	image_begin();
	image_text(".linux", "kernel");
	image_text(".dtbauto", "one");
	image_text(".dtbauto", "two");
	image_text(".hwids", "ids");
	image_text(".splash", "picture");
	image_text(".efifw", "firmware");
	ASSERT_EQ(0, run(uki, 0));
	ASSERT_EQ(3, load.lines_len);
	EXPECT_STREQ(says_dtb.text, load.lines[0]);
	EXPECT_STREQ(says_efifw.text, load.lines[1]);
	EXPECT_STREQ(says_splash.text, load.lines[2]);
}

static void profiles_begin(void)
{
	image_begin();
	image_text(".linux", "kernel");
	image_text(".initrd", "base");
	image_text(".cmdline", "base");
	image_text(".profile", "ID=0");
	image_text(".cmdline", "zero");
	image_text(".cmdline", "not the first");
	image_text(".profile", "ID=1");
	image_text(".initrd", "one");
	image_text(".cmdline", "");
	image_text(".profile", "ID=2");
	private_data.version = KEXEC_PRIVATE_VERSION;
}

TEST(uki_profiles)
{
	static const struct {
		const char *initrd, *cmdline;
	} cases[] = {
		{ "base\n.extra/profile 555 444=ID=0\n", "zero" },
		{ "one\n.extra/profile 555 444=ID=1\n", "" },
		{ "base\n.extra/profile 555 444=ID=2\n", "base" },
	};

	for (__u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		profiles_begin();
		private_data.profile = i;
		ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
		expect_initrd(_metadata, cases[i].initrd);
		expect_cmdline(_metadata, cases[i].cmdline);
	}
	/* Without private data it is the first one. */
	profiles_begin();
	private_data.version = 0;
	ASSERT_EQ(0, run(uki, 0));
	expect_cmdline(_metadata, "zero");

	for (__u32 profile = 3; profile; profile += profile) {
		profiles_begin();
		private_data.profile = profile;
		EXPECT_EQ(KEXEC_REFUSE_PROFILE, run(uki, 0));
	}
	/* An image in an image gets the first profile. */
	profiles_begin();
	private_data.profile = 1;
	level = 1;
	EXPECT_EQ(0, run(uki, 0));
	level = 0;
	expect_cmdline(_metadata, "zero");

	image_begin();
	image_text(".linux", "kernel");
	private_data.version = KEXEC_PRIVATE_VERSION;
	EXPECT_EQ(0, run(uki, 0));
	private_data.profile = 1;
	EXPECT_EQ(KEXEC_REFUSE_PROFILE, run(uki, 0));
}

TEST(uki_most_profiles)
{
	for (__u32 count = 255; count <= 257; count++) {
		image_begin();
		load.image_len = sizeof(file) - 16;
		image_text(".linux", "kernel");
		for (__u32 i = 0; i < count; i++)
			image_text(".profile", "");
		private_data.version = KEXEC_PRIVATE_VERSION;
		private_data.profile = 255;
		EXPECT_EQ(count > 255 ? 0 : KEXEC_REFUSE_PROFILE, run(uki, 0));
		private_data.profile = 256;
		EXPECT_EQ(KEXEC_REFUSE_PROFILE, run(uki, 0));
	}
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
	image_text(".profile", "ID=0");
	image_text(".profile", "ID=1");
	image_text(".linux", "kernel");
	EXPECT_EQ(KEXEC_REFUSE_NO_KERNEL, run(uki, 0));
}

/* Headers are read PE_TABLE_LEN at a time. */
TEST(uki_many_sections)
{
	static const __u32 counts[] = {
		96, 97, PE_TABLE_LEN, PE_TABLE_LEN + 1, 2 * PE_TABLE_LEN + 1, 65535
	};
	const __u32 len = TABLE_AT + 65535 * sizeof(struct pe_section);
	struct pe_section kernel = {
		.name = { ".linux" },
		.virtual_size = 6,
		.raw_data_size = 6,
		.raw_data = 64,
	};
	__u8 *large = calloc(1, len);

	ASSERT_NE(NULL, large);
	for (__u32 i = 0; i < ARRAY_SIZE(counts); i++) {
		__u64 last = TABLE_AT + (counts[i] - 1) * sizeof(kernel);

		image_begin();
		memcpy(large, file, CONTENTS_AT);
		((struct pe_header *)(large + PE_AT))->sections = counts[i];
		memcpy(large + last, &kernel, sizeof(kernel));
		load.image = large;
		load.image_len = last + sizeof(kernel);
		EXPECT_EQ(0, run(uki, 0));
		expect_range(_metadata, &load.kernel, 64, 6);
		load.image_len--;
		EXPECT_EQ(-ERANGE, run(uki, 0));
		memset(large + last, 0, sizeof(kernel));
	}
	free(large);
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
		given_initrd("caller");
		EXPECT_EQ(own ? KEXEC_REFUSE_INITRD : 0, run(uki, BPF_KEXEC_CTX_ENFORCED));
		EXPECT_EQ(0, run(uki, 0));
		EXPECT_EQ(0, load.pieces_len);
		EXPECT_EQ(6, load.initrd_len);

		image_begin();
		image_text(".linux", "kernel");
		if (own)
			image_text(".cmdline", "own");
		given_cmdline("caller");
		EXPECT_EQ(own ? KEXEC_REFUSE_CMDLINE : 0, run(uki, BPF_KEXEC_CTX_ENFORCED));
		EXPECT_EQ(0, run(uki, 0));
		expect_cmdline(_metadata, "caller");
	}
}

TEST(uki_and_the_same_of_the_caller)
{
	static char initrd[2 * sizeof(initrd_own) + 17];

	image_begin();
	image_text(".linux", "kernel");
	image_text(".cmdline", " a\tb\n");
	given_cmdline("a b ");
	ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	expect_cmdline(_metadata, "a b");
	static const char *const others[] = { "a", "a  b", "a b c", "b b", "a c" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		given_cmdline(others[i]);
		EXPECT_EQ(KEXEC_REFUSE_CMDLINE, run(uki, BPF_KEXEC_CTX_ENFORCED));
	}
	/* Blanks alone are none. */
	given_cmdline(" ");
	ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	expect_cmdline(_metadata, "a b");

	for (size_t i = 0; i < sizeof(initrd); i++)
		initrd[i] = i % 251;
	for (size_t len = 1; len <= sizeof(initrd); len += len < 40 ? 1 : 32749) {
		static __u8 large[CONTENTS_AT + sizeof(initrd)];

		image_begin();
		image_text(".linux", "kernel");
		image_section(".initrd", "", 0, len);
		memcpy(large, file, CONTENTS_AT);
		((struct pe_section *)(large + TABLE_AT))[1].raw_data_size = len;
		((struct pe_section *)(large + TABLE_AT))[1].raw_data = CONTENTS_AT;
		memcpy(large + CONTENTS_AT, initrd, len);
		load.image = large;
		load.image_len = CONTENTS_AT + len;
		load.initrd = initrd;
		load.initrd_len = len;
		ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
		EXPECT_EQ(0, load.initrd_len);
		expect_range(_metadata, &load.pieces[0].range, CONTENTS_AT, len);
		load.initrd_len = len - 1;
		EXPECT_EQ(len == 1 ? 0 : KEXEC_REFUSE_INITRD, run(uki, BPF_KEXEC_CTX_ENFORCED));
		for (size_t at = 0; at < len; at += at + 9 < len ? 1 + at / 2 : 1) {
			load.initrd_len = len;
			large[CONTENTS_AT + at] ^= 0x80;
			EXPECT_EQ(KEXEC_REFUSE_INITRD, run(uki, BPF_KEXEC_CTX_ENFORCED));
			large[CONTENTS_AT + at] ^= 0x80;
		}
	}
}

/* Sets a constant, as a signer does in the object. */
static void set_constant(const volatile __u32 *constant, __u32 value)
{
	unsigned long page = sysconf(_SC_PAGESIZE);
	unsigned long start = (unsigned long)constant & ~(page - 1);

	if (mprotect((void *)start, page, PROT_READ | PROT_WRITE))
		exit(KSFT_FAIL);
	*(volatile __u32 *)constant = value;
}

TEST(uki_initrd_for_a_crash_kernel)
{
	for (int allowed = 0; allowed < 2; allowed++) {
		for (int crash = 0; crash < 2; crash++) {
			bool may = allowed && crash;

			image_begin();
			image_text(".linux", "kernel");
			image_text(".initrd", "own");
			given_initrd("caller's");
			set_constant(&allow_crash_initrd, allowed);
			EXPECT_EQ(may ? 0 : KEXEC_REFUSE_INITRD,
				  run(uki, BPF_KEXEC_CTX_ENFORCED |
				      (crash ? BPF_KEXEC_CTX_CRASH : 0)));
			set_constant(&allow_crash_initrd, 0);
			EXPECT_EQ(may, load.lines_len);
			EXPECT_EQ(8, load.initrd_len);
		}
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
		image_begin();
		image_text(".linux", "kernel");
		given_cmdline(cases[i].in);
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
	char text[TEXT_MAX + 1];

	memset(text, 'x', sizeof(text));
	image_begin();
	image_text(".linux", "kernel");
	image_section(".cmdline", text, TEXT_MAX, TEXT_MAX);
	ASSERT_EQ(0, run(uki, 0));
	EXPECT_EQ(TEXT_MAX, load.cmdline_len);

	image_begin();
	image_text(".linux", "kernel");
	image_section(".cmdline", text, TEXT_MAX + 1, TEXT_MAX + 1);
	EXPECT_EQ(KEXEC_REFUSE_TOO_LONG, run(uki, 0));
}

TEST(uki_files)
{
	static const char *const paths[] = {
		[KEXEC_PRIVATE_CREDENTIAL] = ".extra/credentials/a 500 400=x\n",
		[KEXEC_PRIVATE_GLOBAL_CREDENTIAL] = ".extra/global_credentials/a 500 400=x\n",
		[KEXEC_PRIVATE_SYSEXT] = ".extra/sysext/a 555 444=x\n",
		[KEXEC_PRIVATE_GLOBAL_SYSEXT] = ".extra/global_sysext/a 555 444=x\n",
		[KEXEC_PRIVATE_CONFEXT] = ".extra/confext/a 555 444=x\n",
		[KEXEC_PRIVATE_GLOBAL_CONFEXT] = ".extra/global_confext/a 555 444=x\n",
	};
	char name[KEXEC_PRIVATE_NAME_SIZE];

	for (__u32 kind = KEXEC_PRIVATE_CREDENTIAL; kind < ARRAY_SIZE(paths); kind++) {
		image_begin();
		image_text(".linux", "kernel");
		item(kind, "a", "x", 1);
		ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
		expect_initrd(_metadata, paths[kind]);
	}

	image_begin();
	image_text(".linux", "kernel");
	image_text(".initrd", "initrd");
	image_text(".osrel", "ID=test");
	item(KEXEC_PRIVATE_CREDENTIAL, "B b.cred", "1", 1);
	item(KEXEC_PRIVATE_CREDENTIAL, "a.cred", "", 0);
	item(KEXEC_PRIVATE_GLOBAL_CONFEXT, "c.confext.raw", "3", 1);
	given_initrd("caller");
	ASSERT_EQ(0, run(uki, 0));
	EXPECT_EQ(6, load.initrd_len);
	expect_initrd(_metadata, ".extra/credentials/B b.cred 500 400=1\n"
		      ".extra/credentials/a.cred 500 400=\n"
		      ".extra/global_confext/c.confext.raw 555 444=3\n"
		      ".extra/os-release 555 444=ID=test\n");

	/* The longest name. */
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	image_begin();
	image_text(".linux", "kernel");
	item(KEXEC_PRIVATE_SYSEXT, name, "x", 1);
	ASSERT_EQ(0, run(uki, 0));
	EXPECT_EQ(strlen(".extra/sysext/") + 255, strlen(load.pieces[0].path));
	memset(private_data.items[0].name, 'x', sizeof(name));
	EXPECT_EQ(KEXEC_REFUSE_PRIVATE_DATA, run(uki, 0));
	EXPECT_EQ(KEXEC_REFUSE_PRIVATE_DATA, run(uki, BPF_KEXEC_CTX_TEST));

	/* A descriptor is taken once. */
	image_begin();
	image_text(".linux", "kernel");
	item(KEXEC_PRIVATE_CREDENTIAL, "a", "1", 1);
	item(KEXEC_PRIVATE_CREDENTIAL, "b", "1", 1);
	private_data.items[1].fd = private_data.items[0].fd;
	EXPECT_EQ(-EBADF, run(uki, 0));
}

/* As in src/private_data.rs of tools/kexec_bpf. */
TEST(private_data_layout)
{
	EXPECT_EQ(264, sizeof(struct kexec_private_item));
	EXPECT_EQ(67600, sizeof(struct kexec_private_data));
	EXPECT_EQ(4, offsetof(struct kexec_private_item, fd));
	EXPECT_EQ(8, offsetof(struct kexec_private_item, name));
	EXPECT_EQ(4, offsetof(struct kexec_private_data, profile));
	EXPECT_EQ(8, offsetof(struct kexec_private_data, items_len));
	EXPECT_EQ(16, offsetof(struct kexec_private_data, items));
}

TEST(uki_private_data_refused)
{
	static const char *const names[] = { "", "/", "a/b", ".", "..", ".a" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		image_begin();
		image_text(".linux", "kernel");
		item(KEXEC_PRIVATE_CREDENTIAL, names[i], "x", 1);
		EXPECT_EQ(KEXEC_REFUSE_PRIVATE_DATA, run(uki, 0));
	}
	for (__u32 change = 0; change < 7; change++) {
		image_begin();
		image_text(".linux", "kernel");
		item(KEXEC_PRIVATE_CREDENTIAL, "a", "x", 1);
		item(KEXEC_PRIVATE_SYSEXT, "a", "x", 1);
		if (change == 1)
			private_data.version++;
		if (change == 2)
			private_data.reserved = 1;
		if (change == 3)
			private_data.items_len = KEXEC_PRIVATE_ITEMS_MAX + 1;
		if (change == 4)
			private_data.items[0].kind = KEXEC_PRIVATE_SYSEXT + 1;
		if (change == 5)
			private_data.items[0].kind = 0;
		if (change == 6)
			private_data.items[1].kind = KEXEC_PRIVATE_GLOBAL_CONFEXT + 1;
		EXPECT_EQ(change ? KEXEC_REFUSE_PRIVATE_DATA : 0, run(uki, 0));
	}
	/* What is not used does not matter. */
	image_begin();
	image_text(".linux", "kernel");
	private_data.version = KEXEC_PRIVATE_VERSION;
	private_data.items[0].kind = 99;
	EXPECT_EQ(0, run(uki, 0));
}

/* Addons: a PE file each. */
static struct {
	__u8 file[2048];
	__u64 len;
} addons[FILES_MAX];

static __u32 addon_begin(__u32 kind, const char *name)
{
	__u32 i = item(kind, name, NULL, 0);

	memset(&addons[i], 0, sizeof(addons[i]));
	pe_begin(addons[i].file);
	addons[i].len = 1024;
	files[i].bytes = addons[i].file;
	files[i].len = addons[i].len;
	files[i].is_signed = true;
	return i;
}

static void addon_text(__u32 i, const char *name, const char *text)
{
	pe_add(addons[i].file, &addons[i].len, name, text, strlen(text), strlen(text));
	files[i].len = addons[i].len;
}

TEST(uki_addons)
{
	__u32 i;

	image_begin();
	image_text(".linux", "kernel");
	image_text(".initrd", "initrd");
	image_text(".ucode", "ucode");
	image_text(".osrel", "ID=test");
	image_text(".cmdline", "own");
	image_text(".uname", "1.0");
	i = addon_begin(KEXEC_PRIVATE_GLOBAL_ADDON, "g.addon.efi");
	addon_text(i, ".cmdline", "\tglobal  1 ");
	addon_text(i, ".ucode", "ucode 1");
	addon_text(i, ".initrd", "initrd 1");
	i = addon_begin(KEXEC_PRIVATE_ADDON, "a.addon.efi");
	addon_text(i, ".ucode", "ucode 2");
	addon_text(i, ".uname", "1.0");
	addon_text(i, ".dtb", "tree");
	i = addon_begin(KEXEC_PRIVATE_ADDON, "b.addon.efi");
	addon_text(i, ".cmdline", "local");
	addon_text(i, ".initrd", "initrd 3");
	item(KEXEC_PRIVATE_SYSEXT, "s.raw", "x", 1);
	ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	expect_cmdline(_metadata, "own global  1 local");
	expect_initrd(_metadata, "ucode 2\nucode 1\nucode\ninitrd\n"
		      ".extra/sysext/s.raw 555 444=x\n"
		      ".extra/os-release 555 444=ID=test\ninitrd 1\ninitrd 3\n");
	ASSERT_EQ(4, load.lines_len);
	EXPECT_STREQ("global addon g.addon.efi", load.lines[0]);
	EXPECT_STREQ("addon a.addon.efi", load.lines[1]);
	EXPECT_STREQ(addons_says_dtb.text, load.lines[2]);
	EXPECT_STREQ("addon b.addon.efi", load.lines[3]);
}

TEST(uki_addons_of_other_kernels)
{
	static const struct {
		const char *own, *addon;
		bool same;
	} cases[] = {
		{ "1.0", "1.0", true },
		{ "1.0", "1", false },
		{ "1", "1.0", false },
		{ "1.0", "", true },
		{ "", "1.0", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__u32 at;

		image_begin();
		image_text(".linux", "kernel");
		image_text(".uname", cases[i].own);
		at = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(at, ".cmdline", "addon");
		addon_text(at, ".uname", cases[i].addon);
		ASSERT_EQ(0, run(uki, 0));
		expect_cmdline(_metadata, cases[i].same ? "addon" : "");
		EXPECT_EQ(cases[i].same ? 1 : 2, load.lines_len);
	}
}

TEST(uki_addons_refused)
{
	for (int enforced = 0; enforced < 2; enforced++) {
		__u32 i, flags = enforced ? BPF_KEXEC_CTX_ENFORCED : 0;

		/* Not signed. */
		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(i, ".cmdline", "addon");
		files[i].is_signed = false;
		EXPECT_EQ(enforced ? -EKEYREJECTED : 0, run(uki, flags));

		/* Nothing to add, except in a profile, which addons do not have. */
		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(i, ".uname", "1.0");
		addon_text(i, ".cmdline", "");
		addon_text(i, ".profile", "ID=0");
		addon_text(i, ".cmdline", "addon");
		EXPECT_EQ(KEXEC_REFUSE_ADDON, run(uki, flags));

		/* Another UKI. */
		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(i, ".cmdline", "addon");
		addon_text(i, ".linux", "kernel");
		EXPECT_EQ(KEXEC_REFUSE_ADDON, run(uki, flags));

		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(i, ".cmdline", "addon");
		addons[i].file[PE_AT + 4]++;
		EXPECT_EQ(KEXEC_REFUSE_MACHINE, run(uki, flags));

		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		files[i].len = 0;
		EXPECT_EQ(-ERANGE, run(uki, flags));
	}
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
	const char *path_of_uki = getenv("PROGRAMS_TEST_UKI");
	__u8 *bytes;
	FILE *opened;

	if (!path_of_uki)
		SKIP(return, "PROGRAMS_TEST_UKI is not set");
	image_begin();
	bytes = malloc(KEXEC_BPF_IMAGE_MAX);
	opened = fopen(path_of_uki, "r");
	ASSERT_NE(NULL, bytes);
	ASSERT_NE(NULL, opened);
	load.image_len = fread(bytes, 1, KEXEC_BPF_IMAGE_MAX, opened);
	load.image = bytes;
	fclose(opened);
	EXPECT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	TH_LOG("kernel %#llx+%#llx, initrd %#llx+%#llx, command line '%.*s'",
	       load.kernel.offset, load.kernel.len, load.pieces[0].range.offset,
	       load.pieces[0].range.len, (int)load.cmdline_len, load.cmdline);
	free(bytes);
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
