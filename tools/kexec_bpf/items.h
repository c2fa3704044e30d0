/* SPDX-License-Identifier: GPL-2.0 */
/* The private data: checked here, before the others use them. */
#ifndef _KEXEC_BPF_ITEMS_H
#define _KEXEC_BPF_ITEMS_H

#include <linux/bpf.h>
#include "pe.h"
#include "private_data.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct kexec_private_data);
} private SEC(".maps");

struct {
	__u32 len;			/* the number of items */
	__u32 profile;
	__u32 kind;			/* of the last item that was checked */
	__u32 name_len;			/* of its name, as far as it was checked */
	__u32 name_last;		/* the last byte that was checked */
} items;

/* The data. They are always there, but the verifier does not know. */
static __always_inline const struct kexec_private_data *items_data(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&private, &key);
}

static __always_inline const struct kexec_private_item *items_get(__u32 i)
{
	const struct kexec_private_data *data = items_data();

	return data ? &data->items[kexec_below(i, KEXEC_PRIVATE_ITEMS_MAX)] : NULL;
}

/* A walk over the items. It is over where @ret is not 0. */
struct items_walk {
	struct bpf_kexec_ctx *ctx;
	struct pe_contents *image;
	const struct kexec_private_item *item;
	__s64 ret;
};

static int items_check_byte(__u32 i, void *data)
{
	struct items_walk *walk = data;
	char c = walk->item->name[kexec_below(i, KEXEC_PRIVATE_NAME_SIZE)];

	items.name_len = i;
	items.name_last = c;
	return !c || c == '/' || (c == '.' && !i);
}

static int items_check_one(__u32 i, void *data)
{
	struct items_walk *walk = data;
	long ret;

	walk->item = items_get(i);
	walk->ret = KEXEC_REFUSE_PRIVATE_DATA;
	if (!walk->item || !walk->item->kind || walk->item->kind < items.kind ||
	    walk->item->kind > KEXEC_PRIVATE_GLOBAL_CONFEXT)
		return 1;
	items.kind = walk->item->kind;
	ret = bpf_loop(KEXEC_PRIVATE_NAME_SIZE, items_check_byte, walk, 0);
	if (ret < 0) {
		walk->ret = ret;
		return 1;
	}
	/* A file that is not hidden. The kernel refuses what is not printable. */
	if (items.name_last || !items.name_len)
		return 1;
	walk->ret = 0;
	return 0;
}

/*
 * Checks the private data. They are about the outermost image, so images in it get none. Returns 0,
 * a negative errno or an enum kexec_refusal.
 */
static __noinline __s64 items_check(struct bpf_kexec_ctx *ctx)
{
	const struct kexec_private_data *data = items_data();
	struct items_walk walk = { .ctx = ctx };
	long ret;

	items.len = 0;
	items.profile = 0;
	items.kind = 0;
	if (!data || !data->version || ctx->level)
		return 0;
	if (data->version != KEXEC_PRIVATE_VERSION || data->reserved ||
	    data->items_len > KEXEC_PRIVATE_ITEMS_MAX)
		return KEXEC_REFUSE_PRIVATE_DATA;
	if (data->profile >= PE_PROFILES_MAX)
		return KEXEC_REFUSE_PROFILE;
	items.len = data->items_len;
	items.profile = data->profile;
	ret = bpf_loop(items.len, items_check_one, &walk, 0);
	return ret < 0 ? ret : walk.ret;
}

#endif /* _KEXEC_BPF_ITEMS_H */
