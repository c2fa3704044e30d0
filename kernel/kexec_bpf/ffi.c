// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system call, and the functions of the kernel for ffi.rs and klib.rs. Most of these fill in a
 * structure and call one other function. Code that needs macros or inline functions of C is here,
 * too: copies of arrays, and the record that a load leaves.
 */
#define pr_fmt(fmt) "kexec_bpf: " fmt

#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/ctype.h>
#include <linux/efi.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/kernel_read_file.h>
#include <linux/kexec.h>
#include <linux/kexec_bpf.h>
#include <linux/pe.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>
#include <crypto/sha2.h>
#include "../kexec_internal.h"

/* The system call. */

/* Without CONFIG_CRASH_DUMP, a crash kernel would replace the kernel to reboot into. */
#define KEXEC_BPF_FLAGS	(KEXEC_BPF_DRY_RUN | KEXEC_BPF_DEBUG | \
			 (IS_ENABLED(CONFIG_CRASH_DUMP) ? KEXEC_BPF_ON_CRASH : 0))

SYSCALL_DEFINE2(kexec_bpf_load, struct kexec_bpf_args __user *, uargs, size_t, size)
{
	struct kexec_bpf_args args;
	int type, err;

	BUILD_BUG_ON(sizeof(args) != KEXEC_BPF_ARGS_SIZE_VER0);

	if (size < KEXEC_BPF_ARGS_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&args, sizeof(args), uargs, size);
	if (err)
		return err;
	if (args.flags & ~KEXEC_BPF_FLAGS)
		return -EINVAL;

	type = args.flags & KEXEC_BPF_ON_CRASH ? KEXEC_TYPE_CRASH : KEXEC_TYPE_DEFAULT;
	if (!kexec_load_permitted(type))
		return -EPERM;

	return kexec_bpf_rs_load(&args);
}

/* The functions that Rust calls, in the order of the flow. */

/* Counts memory for the budget that all loads share, including those of kexec_file_load(2). */
int kexec_bpf_charge(u64 len)
{
	return kexec_file_charge(len) ? -EFBIG : 0;
}

void kexec_bpf_uncharge(u64 len)
{
	kexec_file_uncharge(len);
}

u32 kexec_bpf_machine(void)
{
	if (IS_ENABLED(CONFIG_X86_64))
		return IMAGE_FILE_MACHINE_AMD64;
	if (IS_ENABLED(CONFIG_ARM64))
		return IMAGE_FILE_MACHINE_ARM64;
	if (IS_ENABLED(CONFIG_RISCV))
		return IMAGE_FILE_MACHINE_RISCV64;
	if (IS_ENABLED(CONFIG_LOONGARCH))
		return IMAGE_FILE_MACHINE_LOONGARCH64;
	return IMAGE_FILE_MACHINE_UNKNOWN;
}

/* Returns the length of a file that can be read as a whole. */
ssize_t kexec_bpf_file_size(struct file *file)
{
	if (!(file->f_mode & FMODE_READ) || !S_ISREG(file_inode(file)->i_mode))
		return -EBADF;
	return i_size_read(file_inode(file));
}

int kexec_bpf_read_file(struct file *file, void *buf, size_t len, bool is_image)
{
	ssize_t n = kernel_read_file(file, 0, &buf, len, NULL,
				     is_image ? READING_KEXEC_IMAGE : READING_KEXEC_INITRAMFS);

	if (n < 0)
		return n;
	return n == len ? 0 : -EIO;
}

int kexec_bpf_verify_pe(const void *image, size_t len, struct pefile_digest *digest)
{
	return verify_pefile_signature_digest(image, len, VERIFYING_KEXEC_PE_SIGNATURE, digest);
}

/* The SBAT level of shim, as it was when the kernel started. */
static u8 *sbat_level __ro_after_init;
static unsigned long sbat_level_len __ro_after_init;

/*
 * At each start shim makes the variable anew, from one that only boot services can read. Later on,
 * root can write to it.
 */
static int __init kexec_bpf_read_sbat_level(void)
{
	efi_guid_t guid = EFI_SHIM_LOCK_GUID;
	unsigned long len = KEXEC_BPF_SBAT_LEVEL_MAX;
	efi_status_t status;
	u8 *level;

	if (!IS_ENABLED(CONFIG_EFI) || !efi_rt_services_supported(EFI_RT_SUPPORTED_GET_VARIABLE))
		return 0;

	level = kzalloc(len, GFP_KERNEL);
	if (!level)
		return -ENOMEM;

	status = efi.get_variable(L"SbatLevelRT", &guid, NULL, &len, level);
	if (status != EFI_SUCCESS) {
		if (status != EFI_NOT_FOUND)
			pr_warn("no SBAT level: SbatLevelRT cannot be read (%#lx)\n", status);
		kfree(level);
		return 0;
	}
	sbat_level = level;
	sbat_level_len = len;
	return 0;
}
late_initcall(kexec_bpf_read_sbat_level);

/* Returns its length, 0 if it is not known, and where it is. */
size_t kexec_bpf_sbat_level(const u8 **level)
{
	*level = sbat_level;
	return sbat_level_len;
}

/* Returns whether an image needs a signature of its own. */
bool kexec_bpf_sig_enforced(void)
{
	return kexec_sig_enforced();
}

/* Under lockdown, asking leaves the notice that someone tried to load an unsigned image. */
void kexec_bpf_note_unverified(void)
{
	kexec_unverified_permitted();
}

/* Returns the BTF ID of a kernel function, or a negative errno. */
s32 kexec_bpf_kfunc_id(const char *name)
{
	struct btf *btf = bpf_get_btf_vmlinux();

	if (IS_ERR_OR_NULL(btf))
		return -ENOENT;
	return btf_find_by_name_kind(btf, name, BTF_KIND_FUNC);
}

struct btf *kexec_bpf_btf_parse(const void *data, u32 len)
{
	struct bpf_log_attr log = {};

	return btf_parse_kern(data, len, &log);
}

void kexec_bpf_btf_put(struct btf *btf)
{
	btf_put(btf);
}

/*
 * BPF takes letters, digits, '_' and '.' in the name of an object. Names of sections and of other
 * languages than C have more.
 */
static void kexec_bpf_copy_name(char to[BPF_OBJ_NAME_LEN], const char *name)
{
	for (strscpy(to, name, BPF_OBJ_NAME_LEN); *to; to++)
		if (!isalnum(*to) && *to != '.')
			*to = '_';
}

struct bpf_map *kexec_bpf_map_create(const struct kexec_bpf_map_spec *spec)
{
	union bpf_attr attr = {
		.map_type	= BPF_MAP_TYPE_ARRAY,
		.key_size	= sizeof(u32),
		.value_size	= spec->value_size,
		.max_entries	= spec->max_entries,
		.map_flags	= spec->map_flags,
	};

	kexec_bpf_copy_name(attr.map_name, spec->name);
	return bpf_map_create_kern(&attr);
}

/* Writes the first bytes of an array map. */
int kexec_bpf_map_fill(struct bpf_map *map, const void *data, u32 len, bool freeze)
{
	u64 addr;
	int err;

	err = map->ops->map_direct_value_addr(map, &addr, 0);
	if (err)
		return err;
	if (len > map->value_size)
		return -EINVAL;
	memcpy((void *)(unsigned long)addr, data, len);
	return freeze ? bpf_map_freeze(map) : 0;
}

/* Copies a plain array, which may change meanwhile, to an array that nobody else writes to. */
int kexec_bpf_map_copy(struct bpf_map *to, struct bpf_map *from)
{
	u32 i;

	if (to->value_size != from->value_size || to->max_entries != from->max_entries)
		return -ELIBBAD;

	for (i = 0; i < to->max_entries; i++) {
		scoped_guard(rcu)
			memcpy(to->ops->map_lookup_elem(to, &i),
			       from->ops->map_lookup_elem(from, &i), to->value_size);
		cond_resched();
	}
	return 0;
}

/* Makes an array of the kernel's own, and copies the user's array to it. */
struct bpf_map *kexec_bpf_map_snapshot(int fd)
{
	struct kexec_bpf_map_spec spec = { .name = KEXEC_BPF_PRIVATE_MAP };
	struct bpf_map *user, *map;
	int err;

	CLASS(fd, f)(fd);
	user = __bpf_map_get(f);
	if (IS_ERR(user) || !(fd_file(f)->f_mode & FMODE_CAN_READ))
		return ERR_PTR(-EBADF);
	/* An offloaded array has no lookup operation, although its type is that of an array. */
	if (user->map_type != BPF_MAP_TYPE_ARRAY || bpf_map_is_offloaded(user) ||
	    !IS_ERR_OR_NULL(user->record))
		return ERR_PTR(-ELIBBAD);
	if ((u64)user->max_entries * round_up((u64)user->value_size, 8) > KEXEC_BPF_PRIVATE_MAX)
		return ERR_PTR(-EFBIG);

	spec.value_size = user->value_size;
	spec.max_entries = user->max_entries;
	map = kexec_bpf_map_create(&spec);
	if (IS_ERR(map))
		return map;
	err = kexec_bpf_map_copy(map, user);
	if (err) {
		kexec_bpf_map_put(map);
		return ERR_PTR(err);
	}
	return map;
}

void kexec_bpf_map_put(struct bpf_map *map)
{
	bpf_map_put_with_uref(map);
}

/*
 * Verifies and compiles a program. Writes the verifier's log to @log, which has @log_len bytes, all
 * of them zero. The log ends with a NUL. There is no log if @log_len is 0.
 */
struct bpf_prog *kexec_bpf_prog_load(const struct kexec_bpf_prog_spec *spec, char *log,
				     u32 log_len)
{
	union bpf_attr attr = {
		.prog_type		= BPF_PROG_TYPE_KEXEC,
		.prog_flags		= BPF_F_SLEEPABLE,
		.insns			= (unsigned long)spec->insns,
		.insn_cnt		= spec->insn_cnt,
		.license		= (unsigned long)spec->license,
		.func_info		= (unsigned long)spec->func_info,
		.func_info_cnt		= spec->func_info_cnt,
		.func_info_rec_size	= sizeof(struct bpf_func_info),
		.line_info		= (unsigned long)spec->line_info,
		.line_info_cnt		= spec->line_info_cnt,
		.line_info_rec_size	= sizeof(struct bpf_line_info),
		.core_relos		= (unsigned long)spec->core_relos,
		.core_relo_cnt		= spec->core_relo_cnt,
		.core_relo_rec_size	= sizeof(struct bpf_core_relo),
	};
	struct bpf_prog_kern_objs objs = {
		.maps		= spec->maps,
		.map_cnt	= spec->map_cnt,
		.btf		= spec->btf,
	};
	struct bpf_log_attr log_attr = {
		.buf			= KERNEL_BPFPTR(log_len ? log : NULL),
		.size			= log_len,
		.level			= log_len ? 1 : 0,
		.may_truncate		= true,
	};

	kexec_bpf_copy_name(attr.prog_name, spec->name);
	return bpf_prog_load_kern(&attr, &objs, &log_attr);
}

void kexec_bpf_prog_put(struct bpf_prog *prog)
{
	bpf_prog_put(prog);
}

/* Returns 0 if a loader of this architecture knows the format of the kernel. */
int kexec_bpf_probe(const void *kernel, size_t len)
{
	return PTR_ERR_OR_ZERO(kexec_file_probe(kernel, len));
}

int kexec_bpf_install(const struct kexec_bpf_parts *parts, u32 flags)
{
	const struct kexec_file_bufs bufs = {
		.kernel		= (void *)parts->kernel,
		.kernel_len	= parts->kernel_len,
		.initrd		= (void *)parts->initrd,
		.initrd_len	= parts->initrd_len,
		.cmdline	= (char *)parts->cmdline,
		.cmdline_len	= parts->cmdline_len,
		.file		= parts->file,
		.checked	= parts->checked,
	};
	unsigned long file_flags = 0;

	if (flags & KEXEC_BPF_ON_CRASH)
		file_flags |= KEXEC_FILE_ON_CRASH;
	if (flags & KEXEC_BPF_DEBUG)
		file_flags |= KEXEC_FILE_DEBUG;
	return kexec_file_load_bufs(&bufs, file_flags);
}

/* Leaves one audit record and one line in dmesg for a load. '?' stands for a missing value. */
void kexec_bpf_leave_record(const struct kexec_bpf_record *record)
{
	const char *op = record->flags & KEXEC_BPF_DRY_RUN ? "dry-run" : "load";
	const char *type = record->flags & KEXEC_BPF_ON_CRASH ? "crash" : "default";
	const char *algo = record->digest_len ? "sha256:" : "?";
	const char *no_key = record->key ? "" : "?";
	int key_len = record->key ? SHA256_DIGEST_SIZE : 0;
	struct audit_buffer *ab;

	pr_notice("op=%s kexec-type=%s signer=\"%*pE\" digest=%s%*phN prog-key=%s%*phN verdict=%d\n",
		  op, type, (int)record->signer_len, record->signer,
		  algo, (int)record->digest_len, record->digest,
		  no_key, key_len, record->key, record->verdict);

	/* Without a daemon, it would be in dmesg twice. */
	if (audit_enabled == AUDIT_OFF)
		return;

	ab = audit_log_start(audit_context(), GFP_KERNEL, AUDIT_KEXEC_BPF);
	if (!ab)
		return;
	audit_log_format(ab, "op=%s kexec-type=%s signer=", op, type);
	if (record->signer_len)
		audit_log_n_untrustedstring(ab, record->signer, record->signer_len);
	else
		audit_log_format(ab, "?");
	audit_log_format(ab, " digest=%s%*phN prog-key=%s%*phN verdict=%d",
			 algo, (int)record->digest_len, record->digest,
			 no_key, key_len, record->key, record->verdict);
	audit_log_task_info(ab);
	audit_log_format(ab, " res=%d", !record->verdict);
	audit_log_end(ab);
}
