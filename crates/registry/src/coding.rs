//! Decodes content codings of answers (RFC 9110, 8.4). We ask for none, but a
//! proxy may choose one; digests and sizes are those of the decoded bytes.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// Undoes `gzip`, as Go's client does; what is coded in another way fails its
/// digest.
#[derive(Debug)]
pub(crate) struct Gunzip(MultiGzDecoder<Vec<u8>>);

impl Gunzip {
    /// The decoder for the coding of an answer, if it has this one.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let coding = headers.get(CONTENT_ENCODING)?.as_bytes();
        let coded = coding.eq_ignore_ascii_case(b"gzip");
        coded.then(|| Self(MultiGzDecoder::new(Vec::new())))
    }

    /// Decodes another piece; the result may be empty.
    pub(crate) fn piece(&mut self, piece: &[u8]) -> std::io::Result<Bytes> {
        self.0.write_all(piece)?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }

    /// Decodes the rest at the end.
    pub(crate) fn end(&mut self) -> std::io::Result<Bytes> {
        self.0.try_finish()?;
        Ok(std::mem::take(self.0.get_mut()).into())
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
            all.extend(gunzip.piece(piece)?);
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
    fn what_is_no_gzip_is_an_error() {
        assert!(read(b"{\"schemaVersion\":2}", 100).is_err());
        let once = coded(b"some text");
        assert!(read(&once[..once.len() - 3], 100).is_err());
    }
}
