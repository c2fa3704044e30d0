/* SPDX-License-Identifier: GPL-2.0 */
/* The program for zboot images. */
#ifndef _PROGRAMS_ZBOOT_H
#define _PROGRAMS_ZBOOT_H

#include "images.h"

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

#endif /* _PROGRAMS_ZBOOT_H */
