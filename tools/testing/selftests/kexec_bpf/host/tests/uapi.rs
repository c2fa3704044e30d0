// SPDX-License-Identifier: GPL-2.0

//! The user-space interface as the command and the tests have it is that of the header.

#[allow(dead_code, reason = "what is not compared is used elsewhere")]
#[path = "../../../../../kexec_bpf/src/uapi.rs"]
mod uapi;

use kernel::bindings as header;
use std::mem::offset_of;

/// Each constant has the value of the one in the header.
macro_rules! same {
    ($($ours:ident = $theirs:ident,)*) => {
        $(assert_eq!(uapi::$ours as u64, header::$theirs as u64, stringify!($ours));)*
    };
}

#[test]
fn constants() {
    same! {
        OBJECT_MAX = KEXEC_BPF_OBJECT_MAX,
        PRIVATE_MAX = KEXEC_BPF_PRIVATE_MAX,
        GET_MAX = KEXEC_BPF_GET_MAX,
        LINE_MAX = KEXEC_BPF_LINE_MAX,
        PATH_MAX = KEXEC_BPF_PATH_MAX,
        HANDLES_MAX = KEXEC_BPF_HANDLES_MAX,
        PIECES_MAX = KEXEC_BPF_PIECES_MAX,
        LEVELS_MAX = KEXEC_BPF_LEVELS_MAX,
        ON_CRASH = KEXEC_BPF_ON_CRASH,
        DRY_RUN = KEXEC_BPF_DRY_RUN,
        ARGS_SIZE_VER0 = KEXEC_BPF_ARGS_SIZE_VER0,
        SIGNED = BPF_KEXEC_CTX_SIGNED,
        ENFORCED = BPF_KEXEC_CTX_ENFORCED,
        CRASH = BPF_KEXEC_CTX_CRASH,
        TEST = BPF_KEXEC_CTX_TEST,
        IMAGE = bpf_kexec_resource_BPF_KEXEC_IMAGE,
        KERNEL = bpf_kexec_resource_BPF_KEXEC_KERNEL,
        INITRD = bpf_kexec_resource_BPF_KEXEC_INITRD,
        CMDLINE = bpf_kexec_resource_BPF_KEXEC_CMDLINE,
        VERIFIED = BPF_KEXEC_RANGE_VERIFIED,
        GET = bpf_kexec_op_BPF_KEXEC_GET,
        PUT = bpf_kexec_op_BPF_KEXEC_PUT,
        STAT = bpf_kexec_op_BPF_KEXEC_STAT,
        BIND_KERNEL = bpf_kexec_op_BPF_KEXEC_BIND_KERNEL,
        BIND_INITRD = bpf_kexec_op_BPF_KEXEC_BIND_INITRD,
        BIND_CMDLINE = bpf_kexec_op_BPF_KEXEC_BIND_CMDLINE,
        PREPEND_INITRD = bpf_kexec_op_BPF_KEXEC_PREPEND_INITRD,
        LOG = bpf_kexec_op_BPF_KEXEC_LOG,
        BY_MAGIC = bpf_kexec_algo_BPF_KEXEC_BY_MAGIC,
        GZIP = bpf_kexec_algo_BPF_KEXEC_GZIP,
        ZSTD = bpf_kexec_algo_BPF_KEXEC_ZSTD,
        XZ = bpf_kexec_algo_BPF_KEXEC_XZ,
        LZ4 = bpf_kexec_algo_BPF_KEXEC_LZ4,
        LZO = bpf_kexec_algo_BPF_KEXEC_LZO,
        DIR_MODE_SHIFT = BPF_KEXEC_DIR_MODE_SHIFT,
        EXACT = BPF_KEXEC_EXACT,
        VERIFY_PE = BPF_KEXEC_VERIFY_PE,
        VERIFY_SHA256 = BPF_KEXEC_VERIFY_SHA256,
    }
}

/// Each structure has the size and the fields of the one in the header.
macro_rules! same_fields {
    ($ours:ident = $theirs:ident: $($field:ident)*) => {
        assert_eq!(size_of::<uapi::$ours>(), size_of::<header::$theirs>());
        $(assert_eq!(
            offset_of!(uapi::$ours, $field),
            offset_of!(header::$theirs, $field),
            stringify!($field)
        );)*
    };
}

#[test]
fn structures() {
    same_fields!(
        Args = kexec_bpf_args:
        flags image_fd initrd_fd map_fd cmdline cmdline_len log_buf log_size
    );
    same_fields!(
        Ctx = bpf_kexec_ctx:
        image_len flags level machine digest_len digest key
    );
    same_fields!(Range = bpf_kexec_range: resource flags offset len);
    same_fields!(
        Test = bpf_kexec_test:
        kernel_len initrd_len cmdline_len nsecs ctx
    );
}
