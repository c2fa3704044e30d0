// SPDX-License-Identifier: GPL-2.0
/*
 * Boots a unified kernel image (UKI): a PE file with kernel, initrd and command line in
 * sections of their own. Sections are found by the rules of systemd-stub, which runs the
 * same image when firmware boots it. The base of an image with profiles is booted.
 *
 * If the kernel is a zboot image with a program of its own, that program runs next. If it
 * is a zboot image without a program, it is decompressed here.
 *
 * An initrd of the image and one of the caller are never joined: the load is refused where
 * signatures are enforced, else the caller's initrd is taken. The same holds for the
 * command line. At a deeper level of nesting the level above stands in for the caller.
 */
#include "zboot.h"

#define PE_OFFSET_AT		0x3c
#define PE_MAGIC		0x4550		/* "PE\0\0" */
#define PE_SECTIONS_MAX		96		/* the kernel refuses more */

#define CMDLINE_MAX		4096

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

/* All state is in .bss, because the verifier does not track its values: that limits its work. */
static struct pe_section table[PE_SECTIONS_MAX];
static __u32 sections;

/* The sections that this program takes from an image. */
enum kind {
	KERNEL,
	INITRD,
	UCODE,
	CMDLINE,
	KINDS
};

static const union pe_name names[KINDS] = {
	[KERNEL]	= { ".linux" },
	[INITRD]	= { ".initrd" },
	[UCODE]		= { ".ucode" },
	[CMDLINE]	= { ".cmdline" },
};

/* Begins what is for other profiles than the base. */
static const union pe_name profile = { ".profile" };
/* Has the program of an image. */
static const union pe_name program = { KEXEC_BPF_PE_SECTION };

/* The section of each kind; its name is zero if the image has none. */
static struct pe_section found[KINDS];

static __u32 kernel_has_program;

static struct {
	__u32 in;			/* bytes of the section */
	__u32 out;			/* bytes kept so far */
	__u32 end;			/* just after the last one that is not blank */
	__u8 text[CMDLINE_MAX];
} cmdline;

/* Notes where a section is if it is the first one of its kind. */
static int note_section(__u32 i, void *unused)
{
	const struct pe_section *section;
	enum kind kind;

	if (i >= PE_SECTIONS_MAX)
		return 1;
	section = &table[i];
	if (section->name.number == profile.number)
		return 1;
	for (kind = 0; kind < KINDS; kind++)
		if (!found[kind].name.number && section->name.number == names[kind].number)
			found[kind] = *section;
	return 0;
}

static int find_program(__u32 i, void *unused)
{
	if (i >= PE_SECTIONS_MAX)
		return 1;
	kernel_has_program |= table[i].name.number == program.number;
	return 0;
}

/* Reads the section table of the PE file at @file. */
static __always_inline __s64 read_table(struct bpf_kexec_ctx *ctx,
					const struct bpf_kexec_range *file)
{
	struct bpf_kexec_range range = { .resource = file->resource };
	struct pe_header pe = {};
	__u32 pe_offset = 0;
	__s64 ret;

	ret = kexec_get(ctx, file->resource, file->offset + PE_OFFSET_AT, &pe_offset,
			sizeof(pe_offset));
	if (ret < 0)
		return ret;
	ret = kexec_get(ctx, file->resource, file->offset + pe_offset, &pe, sizeof(pe));
	if (ret < 0)
		return ret;
	if (pe.magic != PE_MAGIC || pe.sections > PE_SECTIONS_MAX)
		return KEXEC_REFUSE_MALFORMED;
	if (pe.machine != ctx->machine)
		return KEXEC_REFUSE_MACHINE;

	range.offset = file->offset + pe_offset + sizeof(pe) + pe.optional_header_size;
	range.len = pe.sections * sizeof(table[0]);
	ret = bpf_kexec_carrier(ctx, BPF_KEXEC_GET, &range, table, sizeof(table));
	if (ret < 0)
		return ret;
	sections = pe.sections;
	return 0;
}

static __always_inline __s64 find_sections(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range image = { .resource = BPF_KEXEC_IMAGE };
	__s64 ret;

	ret = read_table(ctx, &image);
	if (ret)
		return ret;
	__builtin_memset(found, 0, sizeof(found));	/* a test may run more than once */
	ret = bpf_loop(sections, note_section, NULL, 0);
	return ret < 0 ? ret : 0;
}

/* The contents of a section in the file: without the padding, which virtual_size does not count. */
static __always_inline struct bpf_kexec_range contents(const struct pe_section *section)
{
	__u32 len = section->virtual_size;

	if (len > section->raw_data_size)
		len = section->raw_data_size;
	return (struct bpf_kexec_range) {
		.resource = BPF_KEXEC_IMAGE,
		.offset = section->raw_data,
		.len = len,
	};
}

/* Replaces @kernel by its payload if it is a zboot image without a program. */
static __always_inline __s64 unwrap_zboot(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *kernel)
{
	struct bpf_kexec_range image = *kernel;
	__u64 magic = 0;
	__s64 ret;

	if (image.len < sizeof(magic))
		return 0;
	ret = kexec_get(ctx, image.resource, image.offset, &magic, sizeof(magic));
	if (ret < 0)
		return ret;
	if (magic != ZBOOT_MAGIC)
		return 0;
	ret = read_table(ctx, &image);
	if (ret)
		return ret;
	kernel_has_program = 0;
	ret = bpf_loop(sections, find_program, NULL, 0);
	if (ret < 0)
		return ret;
	return kernel_has_program ? 0 : zboot_decompress(ctx, &image, kernel);
}

static __always_inline __s64 bind_kernel(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range kernel = contents(&found[KERNEL]);
	__s64 ret;

	if (!kernel.len)
		return KEXEC_REFUSE_NO_KERNEL;
	ret = unwrap_zboot(ctx, &kernel);
	if (ret)
		return ret;
	return kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &kernel);
}

static __always_inline __s64 bind_initrd(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range initrd = contents(&found[INITRD]);
	struct bpf_kexec_range ucode = contents(&found[UCODE]);
	__s64 given = kexec_len(ctx, BPF_KEXEC_INITRD);
	__s64 ret;

	if (given < 0)
		return given;
	if (given && initrd.len && ctx->flags & BPF_KEXEC_CTX_ENFORCED)
		return KEXEC_REFUSE_INITRD;
	if (given)
		return 0;
	/* The next kernel finds microcode only at the very start. */
	if (!ucode.len)
		return kexec_bind(ctx, BPF_KEXEC_BIND_INITRD, &initrd);
	ret = kexec_bind(ctx, BPF_KEXEC_BIND_INITRD, &ucode);
	if (ret || !initrd.len)
		return ret;
	return bpf_kexec_initrd_append(ctx, &initrd, NULL, 0, 0);
}

/* One byte of the command line: no blanks at its ends, and a space for each one inside. */
static int copy_byte(__u32 i, void *unused)
{
	__u32 out = cmdline.out;
	__u8 c;

	if (i >= CMDLINE_MAX || i >= cmdline.in || out >= CMDLINE_MAX)
		return 1;
	c = cmdline.text[i];
	if (!c)
		return 1;
	if (c <= ' ' || c == 0x7f) {
		if (!out)
			return 0;
		c = ' ';
	} else {
		cmdline.end = out + 1;
	}
	cmdline.text[out] = c;
	cmdline.out = out + 1;
	return 0;
}

static __always_inline __s64 bind_cmdline(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range text = contents(&found[CMDLINE]);
	__s64 given = kexec_len(ctx, BPF_KEXEC_CMDLINE);
	__s64 ret;
	__u32 len;

	if (given < 0)
		return given;
	if (given && text.len && ctx->flags & BPF_KEXEC_CTX_ENFORCED)
		return KEXEC_REFUSE_CMDLINE;
	if (given || !text.len)
		return 0;
	if (text.len > CMDLINE_MAX)
		return KEXEC_REFUSE_TOO_LONG;
	ret = bpf_kexec_carrier(ctx, BPF_KEXEC_GET, &text, cmdline.text, CMDLINE_MAX);
	if (ret < 0)
		return ret;

	cmdline.in = text.len;
	cmdline.out = 0;
	cmdline.end = 0;
	ret = bpf_loop(CMDLINE_MAX, copy_byte, NULL, 0);
	if (ret < 0)
		return ret;
	len = cmdline.end;
	if (!len || len > CMDLINE_MAX)	/* it never is, but the verifier cannot know */
		return 0;
	return bpf_kexec_cmdline_append(ctx, cmdline.text, len, 0);
}

SEC("kexec")
int uki(struct bpf_kexec_ctx *ctx)
{
	__s64 ret;

	ret = find_sections(ctx);
	if (ret)
		return ret;
	ret = bind_kernel(ctx);
	if (ret)
		return ret;
	ret = bind_initrd(ctx);
	if (ret)
		return ret;
	return bind_cmdline(ctx);
}

char _license[] SEC("license") = "GPL";
