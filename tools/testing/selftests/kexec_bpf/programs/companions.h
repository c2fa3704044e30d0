/* SPDX-License-Identifier: GPL-2.0 */
/* The program for UKIs, with profiles, and with files that belong to the image. */
#ifndef _PROGRAMS_COMPANIONS_H
#define _PROGRAMS_COMPANIONS_H

#include "images.h"

static void profiles_begin(void)
{
	image_begin();
	image_text(".linux", "kernel");
	image_text(".initrd", "base");
	image_text(".cmdline", "base");
	image_text(".profile", "ID=0");
	image_text(".cmdline", "zero");
	image_text(".cmdline", "not the first");
	image_text(".profile", "ID=1");
	image_text(".initrd", "one");
	image_text(".cmdline", "");
	image_text(".profile", "ID=2");
	private_data.version = KEXEC_PRIVATE_VERSION;
}

TEST(uki_profiles)
{
	static const struct {
		const char *initrd, *cmdline;
	} cases[] = {
		{ "base\n.extra/profile 555 444=ID=0\n", "zero" },
		{ "one\n.extra/profile 555 444=ID=1\n", "" },
		{ "base\n.extra/profile 555 444=ID=2\n", "base" },
	};

	for (__u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		profiles_begin();
		private_data.profile = i;
		ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
		expect_initrd(_metadata, cases[i].initrd);
		expect_cmdline(_metadata, cases[i].cmdline);
	}
	/* Without private data it is the first one. */
	profiles_begin();
	private_data.version = 0;
	ASSERT_EQ(0, run(uki, 0));
	expect_cmdline(_metadata, "zero");

	for (__u32 profile = 3; profile; profile += profile) {
		profiles_begin();
		private_data.profile = profile;
		EXPECT_EQ(KEXEC_REFUSE_PROFILE, run(uki, 0));
	}
	/* An image in an image gets the first profile. */
	profiles_begin();
	private_data.profile = 1;
	level = 1;
	EXPECT_EQ(0, run(uki, 0));
	level = 0;
	expect_cmdline(_metadata, "zero");

	image_begin();
	image_text(".linux", "kernel");
	private_data.version = KEXEC_PRIVATE_VERSION;
	EXPECT_EQ(0, run(uki, 0));
	private_data.profile = 1;
	EXPECT_EQ(KEXEC_REFUSE_PROFILE, run(uki, 0));
}

TEST(uki_most_profiles)
{
	for (__u32 count = 255; count <= 257; count++) {
		image_begin();
		load.image_len = sizeof(file) - 16;
		image_text(".linux", "kernel");
		for (__u32 i = 0; i < count; i++)
			image_text(".profile", "");
		private_data.version = KEXEC_PRIVATE_VERSION;
		private_data.profile = 255;
		EXPECT_EQ(count > 255 ? 0 : KEXEC_REFUSE_PROFILE, run(uki, 0));
		private_data.profile = 256;
		EXPECT_EQ(KEXEC_REFUSE_PROFILE, run(uki, 0));
	}
}

TEST(uki_files)
{
	static const char *const paths[] = {
		[KEXEC_PRIVATE_CREDENTIAL] = ".extra/credentials/a 500 400=x\n",
		[KEXEC_PRIVATE_GLOBAL_CREDENTIAL] = ".extra/global_credentials/a 500 400=x\n",
		[KEXEC_PRIVATE_SYSEXT] = ".extra/sysext/a 555 444=x\n",
		[KEXEC_PRIVATE_GLOBAL_SYSEXT] = ".extra/global_sysext/a 555 444=x\n",
		[KEXEC_PRIVATE_CONFEXT] = ".extra/confext/a 555 444=x\n",
		[KEXEC_PRIVATE_GLOBAL_CONFEXT] = ".extra/global_confext/a 555 444=x\n",
	};
	char name[KEXEC_PRIVATE_NAME_SIZE];

	for (__u32 kind = KEXEC_PRIVATE_CREDENTIAL; kind < ARRAY_SIZE(paths); kind++) {
		image_begin();
		image_text(".linux", "kernel");
		item(kind, "a", "x", 1);
		ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
		expect_initrd(_metadata, paths[kind]);
	}

	image_begin();
	image_text(".linux", "kernel");
	image_text(".initrd", "initrd");
	image_text(".osrel", "ID=test");
	item(KEXEC_PRIVATE_CREDENTIAL, "B b.cred", "1", 1);
	item(KEXEC_PRIVATE_CREDENTIAL, "a.cred", "", 0);
	item(KEXEC_PRIVATE_GLOBAL_CONFEXT, "c.confext.raw", "3", 1);
	given_initrd("caller");
	ASSERT_EQ(0, run(uki, 0));
	EXPECT_EQ(6, load.initrd_len);
	expect_initrd(_metadata, ".extra/credentials/B b.cred 500 400=1\n"
		      ".extra/credentials/a.cred 500 400=\n"
		      ".extra/global_confext/c.confext.raw 555 444=3\n"
		      ".extra/os-release 555 444=ID=test\n");

	/* The longest name. */
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	image_begin();
	image_text(".linux", "kernel");
	item(KEXEC_PRIVATE_SYSEXT, name, "x", 1);
	ASSERT_EQ(0, run(uki, 0));
	EXPECT_EQ(strlen(".extra/sysext/") + 255, strlen(load.pieces[0].path));
	memset(private_data.items[0].name, 'x', sizeof(name));
	EXPECT_EQ(KEXEC_REFUSE_PRIVATE_DATA, run(uki, 0));
	EXPECT_EQ(KEXEC_REFUSE_PRIVATE_DATA, run(uki, BPF_KEXEC_CTX_TEST));

	/* A descriptor is taken once. */
	image_begin();
	image_text(".linux", "kernel");
	item(KEXEC_PRIVATE_CREDENTIAL, "a", "1", 1);
	item(KEXEC_PRIVATE_CREDENTIAL, "b", "1", 1);
	private_data.items[1].fd = private_data.items[0].fd;
	EXPECT_EQ(-EBADF, run(uki, 0));
}

/* As in src/private_data.rs of tools/kexec_bpf. */
TEST(private_data_layout)
{
	EXPECT_EQ(264, sizeof(struct kexec_private_item));
	EXPECT_EQ(67600, sizeof(struct kexec_private_data));
	EXPECT_EQ(4, offsetof(struct kexec_private_item, fd));
	EXPECT_EQ(8, offsetof(struct kexec_private_item, name));
	EXPECT_EQ(4, offsetof(struct kexec_private_data, profile));
	EXPECT_EQ(8, offsetof(struct kexec_private_data, items_len));
	EXPECT_EQ(16, offsetof(struct kexec_private_data, items));
}

TEST(uki_private_data_refused)
{
	static const char *const names[] = { "", "/", "a/b", ".", "..", ".a" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		image_begin();
		image_text(".linux", "kernel");
		item(KEXEC_PRIVATE_CREDENTIAL, names[i], "x", 1);
		EXPECT_EQ(KEXEC_REFUSE_PRIVATE_DATA, run(uki, 0));
	}
	for (__u32 change = 0; change < 7; change++) {
		image_begin();
		image_text(".linux", "kernel");
		item(KEXEC_PRIVATE_CREDENTIAL, "a", "x", 1);
		item(KEXEC_PRIVATE_SYSEXT, "a", "x", 1);
		if (change == 1)
			private_data.version++;
		if (change == 2)
			private_data.reserved = 1;
		if (change == 3)
			private_data.items_len = KEXEC_PRIVATE_ITEMS_MAX + 1;
		if (change == 4)
			private_data.items[0].kind = KEXEC_PRIVATE_SYSEXT + 1;
		if (change == 5)
			private_data.items[0].kind = 0;
		if (change == 6)
			private_data.items[1].kind = KEXEC_PRIVATE_GLOBAL_CONFEXT + 1;
		EXPECT_EQ(change ? KEXEC_REFUSE_PRIVATE_DATA : 0, run(uki, 0));
	}
	/* What is not used does not matter. */
	image_begin();
	image_text(".linux", "kernel");
	private_data.version = KEXEC_PRIVATE_VERSION;
	private_data.items[0].kind = 99;
	EXPECT_EQ(0, run(uki, 0));
}

/* Addons: a PE file each. */
static struct {
	__u8 file[2048];
	__u64 len;
} addons[FILES_MAX];

static __u32 addon_begin(__u32 kind, const char *name)
{
	__u32 i = item(kind, name, NULL, 0);

	memset(&addons[i], 0, sizeof(addons[i]));
	pe_begin(addons[i].file);
	addons[i].len = 1024;
	files[i].bytes = addons[i].file;
	files[i].len = addons[i].len;
	files[i].is_signed = true;
	return i;
}

static void addon_text(__u32 i, const char *name, const char *text)
{
	pe_add(addons[i].file, &addons[i].len, name, text, strlen(text), strlen(text));
	files[i].len = addons[i].len;
}

TEST(uki_addons)
{
	__u32 i;

	image_begin();
	image_text(".linux", "kernel");
	image_text(".initrd", "initrd");
	image_text(".ucode", "ucode");
	image_text(".osrel", "ID=test");
	image_text(".cmdline", "own");
	image_text(".uname", "1.0");
	i = addon_begin(KEXEC_PRIVATE_GLOBAL_ADDON, "g.addon.efi");
	addon_text(i, ".cmdline", "\tglobal  1 ");
	addon_text(i, ".ucode", "ucode 1");
	addon_text(i, ".initrd", "initrd 1");
	i = addon_begin(KEXEC_PRIVATE_ADDON, "a.addon.efi");
	addon_text(i, ".ucode", "ucode 2");
	addon_text(i, ".uname", "1.0");
	addon_text(i, ".dtb", "tree");
	i = addon_begin(KEXEC_PRIVATE_ADDON, "b.addon.efi");
	addon_text(i, ".cmdline", "local");
	addon_text(i, ".initrd", "initrd 3");
	item(KEXEC_PRIVATE_SYSEXT, "s.raw", "x", 1);
	ASSERT_EQ(0, run(uki, BPF_KEXEC_CTX_ENFORCED));
	expect_cmdline(_metadata, "own global  1 local");
	expect_initrd(_metadata, "ucode 2\nucode 1\nucode\ninitrd\n"
		      ".extra/sysext/s.raw 555 444=x\n"
		      ".extra/os-release 555 444=ID=test\ninitrd 1\ninitrd 3\n");
	ASSERT_EQ(4, load.lines_len);
	EXPECT_STREQ("global addon g.addon.efi", load.lines[0]);
	EXPECT_STREQ("addon a.addon.efi", load.lines[1]);
	EXPECT_STREQ(addons_says_dtb.text, load.lines[2]);
	EXPECT_STREQ("addon b.addon.efi", load.lines[3]);
}

TEST(uki_addons_of_other_kernels)
{
	static const struct {
		const char *own, *addon;
		bool same;
	} cases[] = {
		{ "1.0", "1.0", true },
		{ "1.0", "1", false },
		{ "1", "1.0", false },
		{ "1.0", "", true },
		{ "", "1.0", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__u32 at;

		image_begin();
		image_text(".linux", "kernel");
		image_text(".uname", cases[i].own);
		at = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(at, ".cmdline", "addon");
		addon_text(at, ".uname", cases[i].addon);
		ASSERT_EQ(0, run(uki, 0));
		expect_cmdline(_metadata, cases[i].same ? "addon" : "");
		EXPECT_EQ(cases[i].same ? 1 : 2, load.lines_len);
	}
}

TEST(uki_addons_refused)
{
	for (int enforced = 0; enforced < 2; enforced++) {
		__u32 i, flags = enforced ? BPF_KEXEC_CTX_ENFORCED : 0;

		/* Not signed. */
		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(i, ".cmdline", "addon");
		files[i].is_signed = false;
		EXPECT_EQ(enforced ? -EKEYREJECTED : 0, run(uki, flags));

		/* Nothing to add, except in a profile, which addons do not have. */
		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(i, ".uname", "1.0");
		addon_text(i, ".cmdline", "");
		addon_text(i, ".profile", "ID=0");
		addon_text(i, ".cmdline", "addon");
		EXPECT_EQ(KEXEC_REFUSE_ADDON, run(uki, flags));

		/* Another UKI. */
		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(i, ".cmdline", "addon");
		addon_text(i, ".linux", "kernel");
		EXPECT_EQ(KEXEC_REFUSE_ADDON, run(uki, flags));

		/* Another UKI, whose kernel is in a profile. */
		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(i, ".cmdline", "addon");
		addon_text(i, ".profile", "ID=0");
		addon_text(i, ".linux", "kernel");
		EXPECT_EQ(KEXEC_REFUSE_ADDON, run(uki, flags));

		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		addon_text(i, ".cmdline", "addon");
		addons[i].file[PE_AT + 4]++;
		EXPECT_EQ(KEXEC_REFUSE_MACHINE, run(uki, flags));

		image_begin();
		image_text(".linux", "kernel");
		i = addon_begin(KEXEC_PRIVATE_ADDON, "a");
		files[i].len = 0;
		EXPECT_EQ(-ERANGE, run(uki, flags));
	}
}

#endif /* _PROGRAMS_COMPANIONS_H */
