/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The private data that the command kexec-bpf passes to the program of an image: which profile is
 * to boot, and the files that belong to the image. src/private_data.rs has the same in Rust.
 *
 * The map KEXEC_BPF_PRIVATE_MAP is an array of one element, a struct kexec_private_data. Nothing
 * in it is verified: a program has to check each number, and what it reads from the descriptors.
 */
#ifndef _KEXEC_BPF_PRIVATE_DATA_H
#define _KEXEC_BPF_PRIVATE_DATA_H

#include <linux/types.h>

#define KEXEC_PRIVATE_VERSION	1
#define KEXEC_PRIVATE_ITEMS_MAX	256
#define KEXEC_PRIVATE_NAME_SIZE	256

/*
 * What a file is, and where systemd-stub finds it: "global" files are for all images of an ESP, the
 * others are beside one image, in IMAGE.extra.d.
 */
enum kexec_private_kind {
	KEXEC_PRIVATE_GLOBAL_ADDON	= 1,	/* /loader/addons: *.addon.efi */
	KEXEC_PRIVATE_ADDON		= 2,	/* *.addon.efi */
	KEXEC_PRIVATE_CREDENTIAL	= 3,	/* *.cred */
	KEXEC_PRIVATE_GLOBAL_CREDENTIAL	= 4,	/* /loader/credentials: *.cred */
	KEXEC_PRIVATE_SYSEXT		= 5,	/* *.raw, other than *.confext.raw */
	KEXEC_PRIVATE_GLOBAL_SYSEXT	= 6,	/* /loader/extensions: such *.raw */
	KEXEC_PRIVATE_CONFEXT		= 7,	/* *.confext.raw */
	KEXEC_PRIVATE_GLOBAL_CONFEXT	= 8,	/* /loader/extensions: *.confext.raw */
};

/**
 * struct kexec_private_item - a file that belongs to the image
 * @kind: enum kexec_private_kind
 * @fd: the caller's descriptor of the file
 * @name: the file's name without a directory, in printable ASCII, filled up with NULs; at least
 *	one of them is at the end
 */
struct kexec_private_item {
	__u32 kind;
	__s32 fd;
	char name[KEXEC_PRIVATE_NAME_SIZE];
};

/**
 * struct kexec_private_data - what the caller of a load wants
 * @version: KEXEC_PRIVATE_VERSION; 0 if nothing was passed, and then all else is 0
 * @profile: the number of the profile to boot; 0 for the default
 * @items_len: how many of @items are used
 * @reserved: 0
 * @items: the files. They are sorted by kind; those of one kind are in the order in which they are
 *	to take effect, which systemd-stub makes that of their names
 */
struct kexec_private_data {
	__u32 version;
	__u32 profile;
	__u32 items_len;
	__u32 reserved;
	struct kexec_private_item items[KEXEC_PRIVATE_ITEMS_MAX];
};

#endif /* _KEXEC_BPF_PRIVATE_DATA_H */
