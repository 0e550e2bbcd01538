//! Bytes that look random and are the same on every run.

/// SplitMix64, with a seed given by the fixture.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A seed from a name, by FNV-1a.
    pub(crate) fn named(name: &str) -> Random {
        Random(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a usize fits into 64 bits");
        usize::try_from(self.next() % end).expect("less than a usize")
    }

    /// Bytes that deflate cannot shorten.
    pub(crate) fn noise(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len + 8);
        while out.len() < len {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(len);
        out
    }

    /// Text that deflate brings to a little over a third, as it does with web
    /// assets and stripped Go binaries: words of a small vocabulary of its own
    /// with numbers between.
    pub(crate) fn text(&mut self, len: usize) -> Vec<u8> {
        let mut words: Vec<String> = Vec::with_capacity(512);
        while words.len() < 512 {
            let letters = 2 + self.below(9);
            let letter = |random: &mut Random| char::from(b'a' + random.below(26) as u8);
            words.push((0..letters).map(|_| letter(self)).collect());
        }
        let mut out = Vec::with_capacity(len + 32);
        while out.len() < len {
            match self.below(16) {
                0 => out.extend_from_slice(format!("{:08x}", self.next() as u32).as_bytes()),
                1 => out.push(b'\n'),
                _ => {
                    let word = self.below(words.len());
                    out.extend_from_slice(words[word].as_bytes());
                }
            }
            out.push(b' ');
        }
        out.truncate(len);
        out
    }
}
