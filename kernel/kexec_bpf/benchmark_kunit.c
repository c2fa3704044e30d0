// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit benchmark of what bpf_kexec_decompress() does, against calls of the decoders that it uses.
 *
 * benchmark_kunit.files=PATH,... on the kernel's command line names payloads, in the form in which
 * zboot images have them: what the tool wrote on its standard output, and behind it, but for gzip,
 * the length of the uncompressed. Each round of each payload prints a line:
 *
 *	# decompress: PATH BYTES KEXEC DECODER CHECKSUM
 *
 * BYTES are those of the output, all else are nanoseconds. KEXEC is decompress::run() with a buffer
 * for the output at hand. DECODER is the library into the same buffer, called as seldom as the
 * format allows, with its workspace set up before where that can be. CHECKSUM is what of checking
 * the output the library leaves to its caller, or 0. KEXEC and DECODER take turns in going first.
 */
#include <kunit/test.h>
#include <linux/init.h>
#include <linux/initrd.h>
#include <linux/kernel_read_file.h>
#include <linux/kexec_bpf.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

static char *files[32];
static int file_cnt;
module_param_array(files, charp, &file_cnt, 0444);
MODULE_PARM_DESC(files, "Payloads to decompress");

static uint rounds = 2;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "Times that each is measured");

static void measure(struct kunit *test, const char *path)
{
	struct kexec_bpf_benchmark ns;
	void *payload = NULL;
	uint round;
	ssize_t len;
	int err = 0;

	/* Tests run in a thread that sees no files. */
	len = kernel_read_file_from_path_initns(path, 0, &payload, INT_MAX, NULL,
						READING_UNKNOWN);
	KUNIT_ASSERT_GT_MSG(test, len, 0, "%s", path);
	for (round = 0; round < rounds && !err; round++) {
		err = kexec_bpf_rs_benchmark(payload, len, round % 2, &ns);
		KUNIT_EXPECT_EQ_MSG(test, err, 0, "%s", path);
		if (!err)
			kunit_info(test, "%s %llu %lld %lld %lld", path, ns.bytes, ns.kexec,
				   ns.decoder, ns.checksum);
	}
	vfree(payload);
}

static void decompress(struct kunit *test)
{
	int i;

	if (!file_cnt)
		kunit_skip(test, "no files are named");
	wait_for_initramfs();
	for (i = 0; i < file_cnt; i++)
		measure(test, files[i]);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(decompress),
	{}
};

static struct kunit_suite suite = {
	.name = "kexec_bpf_benchmark",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit benchmark of decompression for kexec");
MODULE_LICENSE("GPL");
