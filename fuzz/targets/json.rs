//! Manifests, indexes (those of referrers among them) and configs: what is parsed is
//! written in ko's canonical form, which parses to the same and is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

macro_rules! canonical {
    ($type:ty, $bytes:expr) => {
        if let Ok(value) = <$type>::parse($bytes) {
            let written = value.to_vec();
            let again = <$type>::parse(&written).expect("what we write we read");
            assert_eq!(again.to_vec(), written);
        }
    };
}

fuzz_target!(|bytes: &[u8]| {
    canonical!(oci::Manifest, bytes);
    canonical!(oci::Index, bytes);
    canonical!(oci::ImageConfig, bytes);
});
