/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that a program puts into the initrd, at the paths and with the modes of systemd-stub:
 * credentials and extensions that the caller passes, and sections of the image.
 */
#ifndef _KEXEC_BPF_PLACES_H
#define _KEXEC_BPF_PLACES_H

#include "items.h"
#include "pe.h"

#define PLACES			16
#define PLACES_PREFIX_SIZE	32
#define PLACES_PATH_SIZE	512

/* The mode of a file, and above it that of the directory that the file is in. */
#define PLACES_SECRET		(0500 << BPF_KEXEC_DIR_MODE_SHIFT | 0400)
#define PLACES_PUBLIC		(0555 << BPF_KEXEC_DIR_MODE_SHIFT | 0444)

/* Where a file goes: the whole path, or what comes before the name of an item. */
struct place {
	__u64 len;
	__u64 mode;
	char prefix[PLACES_PREFIX_SIZE];	/* with or without a NUL */
};

#define PLACE(path, mode)	{ sizeof(path) - 1, mode, path }

/* The places of sections follow those of the kinds of items. */
enum {
	PLACES_PCRSIG	= KEXEC_PRIVATE_GLOBAL_CONFEXT + 1,
	PLACES_PCRPKEY,
	PLACES_OSREL,
	PLACES_PROFILE,
};

static const struct place places[PLACES] = {
	/* Addons do not go into the initrd: the log names them like this. */
	[KEXEC_PRIVATE_GLOBAL_ADDON]		= PLACE("global addon ", 0),
	[KEXEC_PRIVATE_ADDON]			= PLACE("addon ", 0),
	[KEXEC_PRIVATE_CREDENTIAL]		= PLACE(".extra/credentials/", PLACES_SECRET),
	[KEXEC_PRIVATE_GLOBAL_CREDENTIAL]	=
		PLACE(".extra/global_credentials/", PLACES_SECRET),
	[KEXEC_PRIVATE_SYSEXT]			= PLACE(".extra/sysext/", PLACES_PUBLIC),
	[KEXEC_PRIVATE_GLOBAL_SYSEXT]		= PLACE(".extra/global_sysext/", PLACES_PUBLIC),
	[KEXEC_PRIVATE_CONFEXT]			= PLACE(".extra/confext/", PLACES_PUBLIC),
	[KEXEC_PRIVATE_GLOBAL_CONFEXT]		= PLACE(".extra/global_confext/", PLACES_PUBLIC),
	[PLACES_PCRSIG]	= PLACE(".extra/tpm2-pcr-signature.json", PLACES_PUBLIC),
	[PLACES_PCRPKEY] = PLACE(".extra/tpm2-pcr-public-key.pem", PLACES_PUBLIC),
	[PLACES_OSREL]	= PLACE(".extra/os-release", PLACES_PUBLIC),
	[PLACES_PROFILE] = PLACE(".extra/profile", PLACES_PUBLIC),
};

struct {
	__u64 len;
	__u64 place;			/* index in places */
	char text[PLACES_PATH_SIZE];
} path;

/* Appends a byte of an item's name to the path. */
static int places_copy_byte(__u32 i, void *data)
{
	struct items_walk *walk = data;
	char c = walk->item->name[kexec_below(i, KEXEC_PRIVATE_NAME_SIZE)];

	if (!c)
		return 1;
	path.text[kexec_below(path.len, PLACES_PATH_SIZE)] = c;
	path.len++;
	return 0;
}

static int places_copy_prefix_byte(__u32 i, void *unused)
{
	const struct place *place = &places[kexec_below(path.place, PLACES)];
	char c;

	if (i >= place->len)
		return 1;
	c = place->prefix[kexec_below(i, PLACES_PREFIX_SIZE)];
	path.text[kexec_below(i, PLACES_PATH_SIZE)] = c;
	path.len = i + 1;
	return 0;
}

/* Makes the path of a section, or the beginning of that of an item. */
static __noinline __s64 places_begin(__u64 place)
{
	path.place = place;
	path.len = 0;
	return bpf_loop(PLACES_PREFIX_SIZE, places_copy_prefix_byte, NULL, 0);
}

/* Makes the path of an item. Returns a negative errno if it fails. */
static __noinline __s64 places_name(struct items_walk *walk)
{
	__s64 ret = places_begin(walk->item->kind);

	return ret < 0 ? ret : bpf_loop(KEXEC_PRIVATE_NAME_SIZE, places_copy_byte, walk, 0);
}

/* Appends @content to the initrd, as the file of the path. */
static __noinline __s64 places_append(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *content)
{
	return bpf_kexec_initrd_append(ctx, content, path.text,
				       kexec_below(path.len, PLACES_PATH_SIZE),
				       places[kexec_below(path.place, PLACES)].mode);
}

static __always_inline __s64 places_put_item(struct items_walk *walk)
{
	struct bpf_kexec_range content = {};
	__s64 ret;

	ret = places_name(walk);
	if (ret < 0)
		return ret;
	ret = bpf_kexec_read_fd(walk->ctx, walk->item->fd, 0, NULL);
	if (ret < 0)
		return ret;
	content.resource = ret;
	ret = kexec_len(walk->ctx, content.resource);
	if (ret < 0)
		return ret;
	content.len = ret;
	return places_append(walk->ctx, &content);
}

static int places_take_item(__u32 i, void *data)
{
	struct items_walk *walk = data;

	walk->item = items_get(i);
	if (!walk->item)
		return 1;
	if (walk->item->kind >= KEXEC_PRIVATE_CREDENTIAL)
		walk->ret = places_put_item(walk);
	return !!walk->ret;
}

/* Puts the credentials and extensions of the caller into the initrd. */
static __noinline __s64 places_take_items(struct bpf_kexec_ctx *ctx)
{
	struct items_walk walk = { .ctx = ctx };
	__s64 ret = bpf_loop(items.len, places_take_item, &walk, 0);

	return ret < 0 ? ret : walk.ret;
}

/* Puts a section of the image into the initrd. */
static __noinline __s64 places_take_section(struct bpf_kexec_ctx *ctx,
					    struct bpf_kexec_range *section, __u64 place)
{
	__s64 ret;

	if (!section->len)
		return 0;
	ret = places_begin(place);
	return ret < 0 ? ret : places_append(ctx, section);
}

/* Puts those sections of the image into the initrd that its programs look for. */
static __always_inline __s64 places_take_sections(struct bpf_kexec_ctx *ctx,
						  struct pe_contents *image)
{
	__s64 ret;

	ret = places_take_section(ctx, &image->of[PCRSIG], PLACES_PCRSIG);
	if (ret)
		return ret;
	ret = places_take_section(ctx, &image->of[PCRPKEY], PLACES_PCRPKEY);
	if (ret)
		return ret;
	ret = places_take_section(ctx, &image->of[OSREL], PLACES_OSREL);
	if (ret)
		return ret;
	return places_take_section(ctx, &image->of[PROFILE], PLACES_PROFILE);
}

#endif /* _KEXEC_BPF_PLACES_H */
