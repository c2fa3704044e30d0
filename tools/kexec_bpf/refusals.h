/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why the programs of this directory refuse an image: a name, what the command kexec-bpf prints,
 * and the value that they return. kexec_bpf.bpf.h and src/refusal.rs read this list.
 */
KEXEC_REFUSAL(MALFORMED, "not the format that the program is for, or malformed") = 1,
KEXEC_REFUSAL(MACHINE, "made for another architecture") = 2,
KEXEC_REFUSAL(NO_KERNEL, "no .linux section") = 3,
KEXEC_REFUSAL(INITRD, "signatures are enforced: no other initrd than the image's") = 4,
KEXEC_REFUSAL(CMDLINE, "signatures are enforced: no other command line than the image's") = 5,
KEXEC_REFUSAL(TOO_LONG, "a command line is too long") = 6,
KEXEC_REFUSAL(ALGORITHM, "the compression is not supported") = 7,
KEXEC_REFUSAL(PRIVATE_DATA, "the private data are not those that the program knows") = 8,
KEXEC_REFUSAL(PROFILE, "the image has no such profile") = 9,
KEXEC_REFUSAL(ADDON, "a file is not an addon: it has a kernel, or nothing to add") = 10,
