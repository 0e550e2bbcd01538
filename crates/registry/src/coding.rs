//! Decodes content codings of answers (RFC 9110, 8.4). We ask for none, but a
//! proxy may choose one; digests and sizes are those of the decoded bytes.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// How much is decoded at once, in bytes. It can inflate to a thousand times as much, and the
/// caller must be able to stop at its limit before more is decoded.
const SLICE: usize = 1024;

/// Undoes `gzip`, as Go's client does; what is coded in another way fails its
/// digest.
#[derive(Debug)]
pub(crate) struct Gunzip {
    decoder: MultiGzDecoder<Vec<u8>>,
    /// What has come and is not decoded yet.
    rest: Bytes,
}

impl Gunzip {
    /// The decoder for the coding of an answer, if it has this one.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let coding = headers.get(CONTENT_ENCODING)?.as_bytes();
        let coded = coding.eq_ignore_ascii_case(b"gzip");
        coded.then(|| Self { decoder: MultiGzDecoder::new(Vec::new()), rest: Bytes::new() })
    }

    /// Takes another piece, when all before it is decoded.
    pub(crate) fn take(&mut self, piece: Bytes) {
        self.rest = piece;
    }

    /// Decodes some of what was taken; `None` if nothing more comes of it.
    pub(crate) fn decode(&mut self) -> std::io::Result<Option<Bytes>> {
        while !self.rest.is_empty() {
            let slice = self.rest.split_to(SLICE.min(self.rest.len()));
            self.decoder.write_all(&slice)?;
            let decoded = std::mem::take(self.decoder.get_mut());
            if !decoded.is_empty() {
                return Ok(Some(decoded.into()));
            }
        }
        Ok(None)
    }

    /// Decodes the rest at the end.
    pub(crate) fn end(&mut self) -> std::io::Result<Bytes> {
        self.decoder.try_finish()?;
        Ok(std::mem::take(self.decoder.get_mut()).into())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn coded(bytes: &[u8]) -> Vec<u8> {
        let mut coder = GzEncoder::new(Vec::new(), Compression::default());
        coder.write_all(bytes).unwrap();
        coder.finish().unwrap()
    }

    fn read(coded: &[u8], piece: usize) -> std::io::Result<Vec<u8>> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, "GZIP".parse().unwrap())]);
        let mut gunzip = Gunzip::of(&headers).unwrap();
        let mut all = Vec::new();
        for piece in coded.chunks(piece) {
            gunzip.take(Bytes::copy_from_slice(piece));
            while let Some(decoded) = gunzip.decode()? {
                assert!(decoded.len() <= 2 << 20, "{} bytes at once", decoded.len());
                all.extend(decoded);
            }
        }
        all.extend(gunzip.end()?);
        Ok(all)
    }

    #[test]
    fn pieces_of_any_size_come_together() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n / 7) as u8).collect();
        let once = coded(&bytes);
        for piece in [1, 1000, once.len()] {
            assert_eq!(read(&once, piece).unwrap(), bytes);
        }
        assert_eq!(read(&[coded(b"a"), coded(b"b")].concat(), 5).unwrap(), b"ab");
    }

    #[test]
    fn much_that_comes_of_little_comes_in_pieces() {
        let zeros = vec![0; 64 << 20];
        let once = coded(&zeros);
        assert!(once.len() < 1 << 20);
        assert!(read(&once, once.len()).unwrap() == zeros);
    }

    #[test]
    fn what_is_no_gzip_is_an_error() {
        assert!(read(b"{\"schemaVersion\":2}", 100).is_err());
        let once = coded(b"some text");
        assert!(read(&once[..once.len() - 3], 100).is_err());
    }
}
