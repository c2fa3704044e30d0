// SPDX-License-Identifier: GPL-2.0

//! Files of lzop: the parts that are found in them make the same file.

#![no_main]

use kexec_bpf_host::decompress::lzo::File;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(mut file) = File::parse(data) else {
        return;
    };
    let mut same = data[..9].to_vec();
    same.extend(file.header);
    same.extend(file.adler32.to_be_bytes());
    let Ok(mut len) = file.output_len() else {
        return;
    };
    while let Some(block) = file.next_block().expect("it was walked before") {
        assert!(block.data.len() <= block.len);
        len -= block.len as u64;
        assert_eq!(file.output_len(), Ok(len));
        same.extend((block.len as u32).to_be_bytes());
        same.extend((block.data.len() as u32).to_be_bytes());
        same.extend(block.adler32.to_be_bytes());
        same.extend(block.data);
    }
    same.extend([0; 4]);
    assert!(same == data);
});
