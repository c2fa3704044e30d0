/* SPDX-License-Identifier: GPL-2.0 */
/* The program for UKIs, on images alone. */
#ifndef _PROGRAMS_UKI_H
#define _PROGRAMS_UKI_H

#include "images.h"

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

#endif /* _PROGRAMS_UKI_H */
