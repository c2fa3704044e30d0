/* SPDX-License-Identifier: GPL-2.0 */
/* Texts of command lines and the like, trimmed as systemd-stub does it. */
#ifndef _KEXEC_BPF_TEXT_H
#define _KEXEC_BPF_TEXT_H

#include "kexec_bpf.bpf.h"

#define TEXT_MAX	4096		/* bytes of a text that is read */
#define TEXT_SIZE	8192

/* There is room for two, because they can be compared. */
enum text {
	TEXT_OWN,			/* the image's or the addon's */
	TEXT_GIVEN,			/* the other one */
};

struct text_buffer {
	__u32 in;			/* bytes that were read */
	__u32 out;			/* bytes kept so far */
	__u32 len;			/* up to the last one that is not blank */
	__u32 unused;
	__u8 bytes[TEXT_SIZE];
};

struct {
	struct text_buffer of[2];
	enum text now;			/* the one that is read */
	__u32 differ;
} text;

static __always_inline struct text_buffer *text_now(void)
{
	return &text.of[kexec_below(text.now, 2)];
}

/* One byte: no blanks at the ends, and a space for each one inside. A NUL ends the text. */
static int text_trim_byte(__u32 i, void *unused)
{
	struct text_buffer *buffer = text_now();
	__u64 out = buffer->out;
	__u8 c;

	if (i >= buffer->in)
		return 1;
	c = buffer->bytes[kexec_below(i, TEXT_SIZE)];
	if (!c)
		return 1;
	if (c <= ' ' || c == 0x7f) {
		if (!out)
			return 0;
		c = ' ';
	} else {
		buffer->len = out + 1;
	}
	buffer->bytes[kexec_below(out, TEXT_SIZE)] = c;
	buffer->out = out + 1;
	return 0;
}

/* Reads the text at @range and trims it. Returns 0, a negative errno or an enum kexec_refusal. */
static __noinline __s64 text_read(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *range,
				  enum text which)
{
	struct text_buffer *buffer;
	__s64 ret;

	text.now = which;
	buffer = text_now();
	buffer->out = 0;
	buffer->len = 0;
	if (range->len > TEXT_MAX)
		return KEXEC_REFUSE_TOO_LONG;
	buffer->in = range->len;
	ret = bpf_kexec_carrier(ctx, BPF_KEXEC_GET, range, buffer->bytes, TEXT_SIZE);
	if (ret < 0)
		return ret;
	ret = bpf_loop(TEXT_MAX, text_trim_byte, NULL, 0);
	return ret < 0 ? ret : 0;
}

/* Appends the text to the command line. */
static __noinline __s64 text_to_cmdline(struct bpf_kexec_ctx *ctx, enum text which)
{
	struct text_buffer *buffer;
	__u64 len;

	text.now = which;
	buffer = text_now();
	len = kexec_below(buffer->len, TEXT_SIZE);
	return len ? bpf_kexec_cmdline_append(ctx, buffer->bytes, len, 0) : 0;
}

static int text_compare_byte(__u32 i, void *unused)
{
	__u64 at = kexec_below(i, TEXT_SIZE);

	text.differ = text.of[TEXT_OWN].bytes[at] ^ text.of[TEXT_GIVEN].bytes[at];
	return !!text.differ;
}

/* Returns 1 if the two texts are the same, 0 if not, or a negative errno. */
static __noinline __s64 text_same(void)
{
	__u32 len = text.of[TEXT_OWN].len;
	__s64 ret;

	if (len != text.of[TEXT_GIVEN].len)
		return 0;
	text.differ = 0;
	ret = bpf_loop(len, text_compare_byte, NULL, 0);
	return ret < 0 ? ret : !text.differ;
}

#endif /* _KEXEC_BPF_TEXT_H */
