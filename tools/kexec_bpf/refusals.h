/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why the programs of this directory refuse an image: a name, what the command kexec-bpf prints,
 * and the value that they return. kexec_bpf.bpf.h and src/refusal.rs read this list.
 */
KEXEC_REFUSAL(MALFORMED, "not the format that the program is for, or malformed") = 1,
KEXEC_REFUSAL(MACHINE, "made for another architecture") = 2,
KEXEC_REFUSAL(NO_KERNEL, "no .linux section") = 3,
KEXEC_REFUSAL(INITRD, "the image has an initrd, and signatures are enforced: give none") = 4,
KEXEC_REFUSAL(CMDLINE, "the image has a command line, and signatures are enforced: give none") = 5,
KEXEC_REFUSAL(TOO_LONG, "the image's command line is too long") = 6,
KEXEC_REFUSAL(ALGORITHM, "the compression is not supported") = 7,
