// SPDX-License-Identifier: GPL-2.0
/*
 * Boots a UKI whose section .initrd has pieces of an initrd, each one after its length in 4 bytes,
 * and appends these one by one.
 */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

#define PE_OFFSET_AT	0x3c
#define SECTIONS_MAX	32
#define LINUX		0x78756e696c2eULL	/* ".linux" */
#define INITRD		0x647274696e692eULL	/* ".initrd" */

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

struct state {
	struct bpf_kexec_ctx *ctx;
	__u64 at;			/* of the next piece */
	__u64 end;
	__s64 ret;
};

static int append_piece(__u32 i, struct state *state)
{
	struct bpf_kexec_range piece = { .resource = BPF_KEXEC_IMAGE };
	__u32 len = 0;

	if (state->at >= state->end)
		return 1;
	state->ret = kexec_get(state->ctx, BPF_KEXEC_IMAGE, state->at, &len, sizeof(len));
	if (state->ret < 0)
		return 1;
	piece.offset = state->at + sizeof(len);
	piece.len = len;
	state->at = piece.offset + len;
	state->ret = bpf_kexec_initrd_append(state->ctx, &piece, NULL, 0, 0);
	return state->ret < 0;
}

SEC("kexec")
int pieces(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range kernel = { .resource = BPF_KEXEC_IMAGE };
	struct state state = { .ctx = ctx };
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
		} else if (section.name == INITRD) {
			state.at = section.offset;
			state.end = state.at + section.size;
		}
		offset += sizeof(section);
	}
	ret = bpf_loop(KEXEC_BPF_PIECES_MAX, append_piece, &state, 0);
	if (ret < 0)
		return ret;
	if (state.ret < 0)
		return state.ret;
	return kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &kernel);
}

char _license[] SEC("license") = "GPL";
