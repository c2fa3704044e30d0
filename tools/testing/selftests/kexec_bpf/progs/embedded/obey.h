/* SPDX-License-Identifier: GPL-2.0 */
/* The private data of obey.bpf.c: the last entry asks for an operation. */
#define PRIVATE_ENTRIES	3

enum private_op {
	PRIVATE_RETURN	= 1,	/* return a */
	PRIVATE_READ_FD	= 2,	/* read the file at descriptor a with flags b */
	PRIVATE_PUT	= 3,	/* make a resources of b bytes */
	PRIVATE_PIECES	= 4,	/* append a pieces to the initrd */
	PRIVATE_CMDLINE	= 5,	/* append a bytes to the command line */
	PRIVATE_CHANGED	= 6,	/* read the file at descriptor a: does the first entry change? */
	PRIVATE_DECOMPRESS = 7,	/* decompress the file at descriptor a */
	PRIVATE_TWICE	= 8,	/* append the file at descriptor a to the initrd twice */
};

struct private_value {
	__u64 op;
	__s64 a;
	__u64 b;
};
