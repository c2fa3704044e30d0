/* SPDX-License-Identifier: GPL-2.0 */
/* Makes images and what is passed beside them, and looks at what came of them. */
#ifndef _PROGRAMS_IMAGES_H
#define _PROGRAMS_IMAGES_H

#include "kfuncs.h"

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

#endif /* _PROGRAMS_IMAGES_H */
