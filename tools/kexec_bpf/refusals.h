/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why the programs of this directory refuse an image: a name, the value that they return, and what
 * the command kexec-bpf prints. kexec_bpf.bpf.h and src/refusal.rs read this list.
 */
KEXEC_REFUSAL(MALFORMED, 1, "not the format that the program is for, or malformed")
KEXEC_REFUSAL(MACHINE, 2, "made for another architecture")
KEXEC_REFUSAL(NO_KERNEL, 3, "no .linux section")
KEXEC_REFUSAL(INITRD, 4, "the image has its own initrd, and signatures are enforced: give none")
KEXEC_REFUSAL(CMDLINE, 5, "the image has its own command line, and signatures are enforced: give none")
KEXEC_REFUSAL(TOO_LONG, 6, "the image's command line is too long")
KEXEC_REFUSAL(ALGORITHM, 7, "the compression is not supported")
