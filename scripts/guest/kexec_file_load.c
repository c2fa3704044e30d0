// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec_file_load FILE: loads FILE as a kernel with kexec_file_load(2), and prints the result.
 * The exit status is 1 if the kernel refuses it.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <linux/kexec.h>
#include <sys/syscall.h>

int main(int argc, char **argv)
{
	int fd;

	if (argc != 2)
		errx(2, "usage: kexec_file_load FILE");
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(2, "%s", argv[1]);
	if (syscall(__NR_kexec_file_load, fd, -1, 0UL, NULL, KEXEC_FILE_NO_INITRAMFS))
		err(1, "%s", argv[1]);
	printf("%s: loaded\n", argv[1]);
	return 0;
}
