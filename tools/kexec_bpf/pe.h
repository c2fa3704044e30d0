/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sections of a PE file, found by the rules of systemd-stub: within the base of the image, and
 * within each profile, the first section of a name counts. A profile's sections replace those
 * of the base.
 */
#ifndef _KEXEC_BPF_PE_H
#define _KEXEC_BPF_PE_H

#include "kexec_bpf.bpf.h"

#define PE_OFFSET_AT		0x3c
#define PE_MAGIC		0x4550		/* "PE\0\0" */
#define PE_TABLE_LEN		1024		/* section headers that are read at a time */

#define PE_PROFILES_MAX		256		/* as many as systemd's tools look at */
#define PE_BASE			0xffffffff	/* no profile */

struct pe_header {
	__u32 magic;
	__u16 machine;
	__u16 sections;
	__u32 timestamp;
	__u32 symbol_table;
	__u32 symbols;
	__u16 optional_header_size;
	__u16 flags;
};

/* A section's name, padded with NULs; as a number it is quick to compare. */
union pe_name {
	char text[8];
	__u64 number;
};

struct pe_section {
	union pe_name name;
	__u32 virtual_size;
	__u32 virtual_address;
	__u32 raw_data_size;
	__u32 raw_data;
	__u32 object_file[4];		/* what only object files use */
};

/* The sections that the programs look for. */
enum pe_kind {
	LINUX,
	OSREL,
	CMDLINE,
	INITRD,
	UCODE,
	UNAME,
	PCRSIG,
	PCRPKEY,
	PROFILE,
	DTB,
	DTBAUTO,
	HWIDS,
	EFIFW,
	SPLASH,
	PROGRAM,
	PE_KINDS
};

#define PE_KINDS_SIZE		16	/* a power of two */

static const union pe_name pe_names[PE_KINDS_SIZE] = {
	[LINUX]		= { ".linux" },
	[OSREL]		= { ".osrel" },
	[CMDLINE]	= { ".cmdline" },
	[INITRD]	= { ".initrd" },
	[UCODE]		= { ".ucode" },
	[UNAME]		= { ".uname" },
	[PCRSIG]	= { ".pcrsig" },
	[PCRPKEY]	= { ".pcrpkey" },
	[PROFILE]	= { ".profile" },	/* begins a profile */
	[DTB]		= { ".dtb" },
	[DTBAUTO]	= { ".dtbauto" },
	[HWIDS]		= { ".hwids" },
	[EFIFW]		= { ".efifw" },
	[SPLASH]	= { ".splash" },
	[PROGRAM]	= { KEXEC_BPF_PE_SECTION },
};

/* The contents of the sections of a PE file. One that the file lacks is empty. */
struct pe_contents {
	struct bpf_kexec_range of[PE_KINDS_SIZE];
	__u64 has;			/* bit KIND: there is one, though it may be empty */
};

struct pe_section pe_table[PE_TABLE_LEN];

/* What pe_find() finds. */
struct {
	struct pe_contents contents;
	/* The section headers of the base and then of the profile; the name is zero without one. */
	struct pe_section headers[2 * PE_KINDS_SIZE];
	struct bpf_kexec_range file;
	struct bpf_kexec_range table;	/* what of the section table has not been read */
	__u32 wanted;			/* number of the profile */
	__u32 profiles;			/* number of those seen */
	__u32 section;			/* index in pe_table */
} pe;

struct pe_walk {
	struct bpf_kexec_ctx *ctx;
	__s64 ret;
};

/* Notes the section if it is of this kind, and the first in the base or in the profile. */
static int pe_match(__u32 i, void *unused)
{
	const struct pe_section *section = &pe_table[kexec_below(pe.section, PE_TABLE_LEN)];
	__u64 kind = kexec_below(i, PE_KINDS_SIZE);
	struct pe_section *header;
	__u64 at = kind;

	if (section->name.number != pe_names[kind].number)
		return 0;
	if (kind == PROFILE)
		pe.profiles++;
	if (pe.profiles) {
		if (pe.profiles - 1 != pe.wanted)
			return 1;
		at += PE_KINDS_SIZE;
	}
	header = &pe.headers[kexec_below(at, 2 * PE_KINDS_SIZE)];
	if (!header->name.number)
		*header = *section;
	return 1;
}

static int pe_take_section(__u32 i, void *data)
{
	struct pe_walk *walk = data;

	pe.section = i % PE_TABLE_LEN;
	if (!pe.section) {
		struct bpf_kexec_range range = pe.table;

		if (range.len > sizeof(pe_table))
			range.len = sizeof(pe_table);
		pe.table.offset += range.len;
		pe.table.len -= range.len;
		walk->ret = bpf_kexec_carrier(walk->ctx, BPF_KEXEC_GET, &range, pe_table,
					      sizeof(pe_table));
		if (walk->ret < 0)
			return 1;
	}
	walk->ret = bpf_loop(PE_KINDS, pe_match, NULL, 0);
	return walk->ret < 0;
}

static int pe_forget(__u32 i, void *unused)
{
	pe.headers[kexec_below(i, 2 * PE_KINDS_SIZE)].name.number = 0;
	return 0;
}

/* Notes the contents of a section: without the padding, which virtual_size does not count. */
static int pe_note_contents(__u32 i, void *unused)
{
	struct bpf_kexec_range range = { .resource = pe.file.resource };
	__u64 kind = kexec_below(i, PE_KINDS_SIZE);
	const struct pe_section *header;
	__u64 at = kind + PE_KINDS_SIZE;

	/* A profile has the sections of the base that it does not replace. */
	if (!pe.headers[kexec_below(at, 2 * PE_KINDS_SIZE)].name.number)
		at = kind;
	header = &pe.headers[kexec_below(at, 2 * PE_KINDS_SIZE)];
	if (header->name.number) {
		pe.contents.has |= 1ULL << kind;
		range.offset = pe.file.offset + header->raw_data;
		range.len = header->virtual_size;
		if (range.len > header->raw_data_size)
			range.len = header->raw_data_size;
	}
	pe.contents.of[kind] = range;
	return 0;
}

/*
 * Finds the sections of the PE file at @file, as the profile of this number has them, and sets
 * pe.contents. Returns 0, a negative errno or an enum kexec_refusal.
 */
static __noinline __s64 pe_find(struct bpf_kexec_ctx *ctx, const struct bpf_kexec_range *file,
				__u32 profile)
{
	struct pe_walk walk = { .ctx = ctx };
	struct pe_header header = {};
	__u32 offset = 0;
	__s64 ret;

	ret = kexec_get(ctx, file->resource, file->offset + PE_OFFSET_AT, &offset, sizeof(offset));
	if (ret < 0)
		return ret;
	ret = kexec_get(ctx, file->resource, file->offset + offset, &header, sizeof(header));
	if (ret < 0)
		return ret;
	if (header.magic != PE_MAGIC)
		return KEXEC_REFUSE_MALFORMED;
	if (header.machine != ctx->machine)
		return KEXEC_REFUSE_MACHINE;

	pe.file = *file;
	pe.table.resource = file->resource;
	pe.table.offset = file->offset + offset + sizeof(header) + header.optional_header_size;
	pe.table.len = header.sections * sizeof(pe_table[0]);
	pe.wanted = profile;
	pe.profiles = 0;
	pe.contents.has = 0;
	ret = bpf_loop(2 * PE_KINDS_SIZE, pe_forget, NULL, 0);
	if (ret < 0)
		return ret;
	ret = bpf_loop(header.sections, pe_take_section, &walk, 0);
	if (ret < 0)
		return ret;
	if (walk.ret < 0)
		return walk.ret;
	/* The first profile need not exist: then the base is all there is of it. */
	if (profile != PE_BASE && profile && pe.profiles <= profile)
		return KEXEC_REFUSE_PROFILE;
	ret = bpf_loop(PE_KINDS, pe_note_contents, NULL, 0);
	return ret < 0 ? ret : 0;
}

#endif /* _KEXEC_BPF_PE_H */
