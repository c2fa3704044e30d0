/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the C part of kexec_bpf_load(2), which is ffi.c, kfuncs.c and prog_type.c in
 * kernel/kexec_bpf, and the Rust part. Rust sees this file, and every header that it includes,
 * through bindgen. Some headers are included for Rust alone.
 */
#ifndef _LINUX_KEXEC_BPF_H
#define _LINUX_KEXEC_BPF_H

#include <linux/cache.h>
#include <linux/init.h>
#include <linux/types.h>
#include <linux/verification.h>
#include <asm/setup.h>
#include <uapi/linux/kexec_bpf.h>

struct bpf_map;
struct bpf_prog;
struct btf;
struct file;
struct pefile_digest;

/*
 * The longest command line in bytes, without NUL: x86 and riscv put elfcorehdr= before that of a
 * crash kernel, which takes 30 bytes, and x86 dmcryptkeys=, which takes 31. The room for both is
 * kept in any case. An enum, because bindgen does not evaluate the macros of all architectures.
 */
#define KEXEC_BPF_CMDLINE_ROOM	64
enum { KEXEC_BPF_CMDLINE_MAX = COMMAND_LINE_SIZE - KEXEC_BPF_CMDLINE_ROOM };

/* The longest SBAT level in bytes. It has a line for each component; today, it has some hundred. */
#define KEXEC_BPF_SBAT_LEVEL_MAX	4096

/* An array to create. The fields are those of union bpf_attr. */
struct kexec_bpf_map_spec {
	const char *name;
	u32 value_size;
	u32 max_entries;
	u32 map_flags;
};

/* A program to load. The fields are those of BPF_PROG_LOAD, with pointers to kernel memory. */
struct kexec_bpf_prog_spec {
	const char *name;
	const char *license;
	const void *insns;
	u32 insn_cnt;
	u32 map_cnt;
	struct bpf_map **maps;
	struct btf *btf;
	const void *func_info;
	const void *line_info;
	const void *core_relos;
	u32 func_info_cnt;
	u32 line_info_cnt;
	u32 core_relo_cnt;
};

/*
 * A kernel to install, with its initrd and command line. cmdline_len counts the NUL. checked tells
 * that the rules were kept that hold where signatures are enforced.
 */
struct kexec_bpf_parts {
	const void *kernel;
	size_t kernel_len;
	const void *initrd;
	size_t initrd_len;
	const char *cmdline;
	size_t cmdline_len;
	struct file *file;
	bool checked;
};

/*
 * The record of a load, for audit and dmesg: KEXEC_BPF_*, the signer of the image, its digest by
 * SHA-256, the key of the innermost program, which is a SHA-256 or NULL, and 0 or a negative errno.
 */
struct kexec_bpf_record {
	u32 flags;
	u32 signer_len;
	const char *signer;
	const u8 *digest;
	u32 digest_len;
	int verdict;
	const u8 *key;
};

/* Input and output of BPF_PROG_TEST_RUN. */
struct kexec_bpf_test_run {
	void __user *data_in;
	void __user *data_out;
	u32 data_in_len;
	u32 data_out_len;	/* in: room; out: needed */
	u32 repeat;
	u32 retval;		/* out */
	struct bpf_kexec_test test;
};

/* What benchmark_kunit.c prints of a payload: its length, and nanoseconds. */
struct kexec_bpf_benchmark {
	u64 bytes;
	s64 kexec;
	s64 decoder;
	s64 checksum;
};

/*
 * Functions in C, for Rust. An int is 0 or a negative errno; a pointer that is returned can be an
 * ERR_PTR().
 */
int kexec_bpf_charge(u64 len);
void kexec_bpf_uncharge(u64 len);
u32 kexec_bpf_machine(void);
ssize_t kexec_bpf_file_size(struct file *file);
int kexec_bpf_read_file(struct file *file, void *buf, size_t len, bool is_image);

int kexec_bpf_verify_pe(const void *image, size_t len, struct pefile_digest *digest);
size_t kexec_bpf_sbat_level(const u8 **level);
bool kexec_bpf_sig_enforced(void);
void kexec_bpf_note_unverified(void);

s32 kexec_bpf_kfunc_id(const char *name);
struct btf *kexec_bpf_btf_parse(const void *data, u32 len);
void kexec_bpf_btf_put(struct btf *btf);
struct bpf_map *kexec_bpf_map_create(const struct kexec_bpf_map_spec *spec);
int kexec_bpf_map_fill(struct bpf_map *map, const void *data, u32 len, bool freeze);
int kexec_bpf_map_copy(struct bpf_map *to, struct bpf_map *from);
struct bpf_map *kexec_bpf_map_snapshot(int fd);
void kexec_bpf_map_put(struct bpf_map *map);
struct bpf_prog *kexec_bpf_prog_load(const struct kexec_bpf_prog_spec *spec, char *log,
				     u32 log_len);
u32 kexec_bpf_prog_run(struct bpf_prog *prog, struct bpf_kexec_ctx *ctx);
void kexec_bpf_enter(void);
void kexec_bpf_leave(void);
void kexec_bpf_prog_put(struct bpf_prog *prog);

int kexec_bpf_probe(const void *kernel, size_t len);
int kexec_bpf_install(const struct kexec_bpf_parts *parts, u32 flags);
void kexec_bpf_leave_record(const struct kexec_bpf_record *record);

/* Functions in Rust, for C. */
int kexec_bpf_rs_benchmark(const void *payload, size_t len, bool kexec_first,
			   struct kexec_bpf_benchmark *ns);
int kexec_bpf_rs_load(const struct kexec_bpf_args *args);
int kexec_bpf_rs_test_run(struct bpf_prog *prog, struct kexec_bpf_test_run *run);
s64 kexec_bpf_rs_carrier(struct bpf_kexec_ctx *ctx, u64 op, struct bpf_kexec_range *range,
			 void *buf, u64 len);
s64 kexec_bpf_rs_decompress(struct bpf_kexec_ctx *ctx, const struct bpf_kexec_range *src,
			    u64 algo, u64 out_len, u64 flags);
s64 kexec_bpf_rs_initrd_append(struct bpf_kexec_ctx *ctx, const struct bpf_kexec_range *src,
			       const void *path, u64 path_len, u64 mode);
s64 kexec_bpf_rs_cmdline_append(struct bpf_kexec_ctx *ctx, const void *text, u64 len, u64 flags);
s64 kexec_bpf_rs_read_fd(struct bpf_kexec_ctx *ctx, s64 fd, u64 flags,
			 const struct bpf_kexec_range *digest);

#endif /* _LINUX_KEXEC_BPF_H */
