// SPDX-License-Identifier: GPL-2.0
/* The first program of Documentation/bpf/kexec_programs.rst: boots the kernel of a UKI. */
#include "kexec_bpf.bpf.h"

#define PE_OFFSET_AT	0x3c			/* where the file says where its PE header is */
#define SECTIONS_MAX	96			/* as many as this program looks at */
#define LINUX		0x78756e696c2eULL	/* ".linux" */

struct pe_header {
	__u32 magic;
	__u16 machine;
	__u16 sections;
	__u32 unused[3];
	__u16 optional_header_size;
	__u16 flags;
};

struct pe_section {
	__u64 name;
	__u32 size;
	__u32 address;
	__u32 padded_size;
	__u32 offset;
	__u32 unused[4];
};

SEC("kexec")
int first(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range kernel = { .resource = BPF_KEXEC_IMAGE };
	struct pe_section section = {};
	struct pe_header pe = {};
	__u32 pe_offset = 0;
	__u64 offset;
	__s64 ret;
	int i;

	ret = kexec_get(ctx, BPF_KEXEC_IMAGE, PE_OFFSET_AT, &pe_offset, sizeof(pe_offset));
	if (ret < 0)
		return ret;
	ret = kexec_get(ctx, BPF_KEXEC_IMAGE, pe_offset, &pe, sizeof(pe));
	if (ret < 0)
		return ret;

	offset = (__u64)pe_offset + sizeof(pe) + pe.optional_header_size;
	for (i = 0; i < SECTIONS_MAX && i < pe.sections; i++) {
		ret = kexec_get(ctx, BPF_KEXEC_IMAGE, offset, &section, sizeof(section));
		if (ret < 0)
			return ret;
		if (section.name == LINUX) {
			kernel.offset = section.offset;
			kernel.len = section.size;
			return kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &kernel);
		}
		offset += sizeof(section);
	}
	return KEXEC_REFUSE_NO_KERNEL;
}

char _license[] SEC("license") = "GPL";
