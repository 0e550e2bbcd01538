//! What Go's linker writes into programs of Linux, macOS and Windows.
#![no_main]

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use golang::BuildInfo;
use libfuzzer_sys::fuzz_target;
use rustix::fs::MemfdFlags;

fuzz_target!(|bytes: &[u8]| {
    let file = rustix::fs::memfd_create("program", MemfdFlags::CLOEXEC).expect("memory");
    let mut file = File::from(file);
    file.write_all(bytes).expect("memory");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    if let Ok(info) = BuildInfo::read(&path) {
        let kept = serde_json::to_vec(&info).expect("build info is JSON");
        assert_eq!(serde_json::from_slice::<BuildInfo>(&kept).expect("its own JSON"), info);
    }
});
