//! The one checksum that `object_store` asks `crc-fast` for, by the crate `crc`. The original
//! chooses among its algorithms at run time, so that 700 kB of tables for all of them would be
//! linked into ko, which asks object stores for no checksum at all.

use crc::{CRC_64_NVME, Crc, NoTable};

static NVME: Crc<u64, NoTable> = Crc::<u64, NoTable>::new(&CRC_64_NVME);

/// What is computed.
#[derive(Debug, Clone, Copy)]
pub enum CrcAlgorithm {
    /// As NVM Express defines it; S3 calls it `crc64nvme`.
    Crc64Nvme,
}

/// A checksum of bytes that come piece by piece.
#[allow(missing_debug_implementations, reason = "crc's has none")]
pub struct Digest(crc::Digest<'static, u64, NoTable>);

impl Digest {
    /// A checksum of no bytes yet.
    #[must_use]
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        match algorithm {
            CrcAlgorithm::Crc64Nvme => Self(NVME.digest()),
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes.
    #[must_use]
    pub fn finalize(self) -> u64 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogues_check_value_is_computed() {
        let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
        digest.update(b"1234");
        digest.update(b"56789");
        assert_eq!(digest.finalize(), 0xae8b_1486_0a79_9888);
    }
}
