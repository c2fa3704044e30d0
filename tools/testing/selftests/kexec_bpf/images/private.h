/* SPDX-License-Identifier: GPL-2.0 */
/* The private data of private.bpf.c: its last entry says what to do. */
#define PRIVATE_ENTRIES	3

enum private_op {
	PRIVATE_RETURN	= 1,	/* return a */
	PRIVATE_READ_FD	= 2,	/* read the file at descriptor a with flags b */
};

struct private_value {
	__u64 op;
	__s64 a;
	__u64 b;
};
