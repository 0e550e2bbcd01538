//! Names for the digests of manifests. ko's and ours differ, because their
//! compressed bytes do; what they are the digests *of* must not.

use std::collections::BTreeMap;

/// Names by digest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Names a digest. The first name stays.
    pub(crate) fn insert(&mut self, digest: &str, label: &str) {
        self.0.entry(digest.to_owned()).or_insert_with(|| label.to_owned());
    }

    /// Takes the names of others over for digests that have none.
    pub(crate) fn extend(&mut self, others: &Labels) {
        for (digest, label) in &others.0 {
            self.insert(digest, label);
        }
    }

    /// Returns a digest's name.
    pub(crate) fn get(&self, digest: &str) -> Option<&str> {
        self.0.get(digest).map(String::as_str)
    }

    /// Writes names in place of the digests in a text, also of those that
    /// have a dash for the colon. A digest that nothing is known to have
    /// stays, and so differs from whatever ko printed.
    pub(crate) fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("sha256") {
            let (before, found) = rest.split_at(at);
            out.push_str(before);
            let hex = found.bytes().skip(7).take_while(u8::is_ascii_hexdigit).count();
            if hex == 0 || !found[6..].starts_with([':', '-']) {
                let (word, after) = found.split_at("sha256".len());
                out.push_str(word);
                rest = after;
                continue;
            }
            let (digest, after) = found.split_at(7 + hex);
            match self.get(&digest.replace('-', ":")) {
                Some(label) => {
                    out.push('[');
                    out.push_str(label);
                    out.push(']');
                }
                None => out.push_str(digest),
            }
            rest = after;
        }
        out.push_str(rest);
        self.apply_to_tags(out)
    }

    /// The same for tags that are the digits of a digest, as images have in
    /// engines.
    fn apply_to_tags(&self, mut text: String) -> String {
        for (digest, label) in &self.0 {
            let tag = digest.replace("sha256:", ":");
            let mut from = 0;
            while let Some(found) = text[from..].find(&tag) {
                let (start, end) = (from + found, from + found + tag.len());
                from = end;
                let longer = text[end..].starts_with(|next: char| next.is_ascii_hexdigit());
                if !longer && !text[..start].ends_with("sha256") {
                    let label = format!(":[{label}]");
                    text.replace_range(start..end, &label);
                    from = start + label.len();
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Labels;
    use testkit::sha256;

    #[test]
    fn tags_may_be_digests() {
        let mut labels = Labels::default();
        labels.insert(&sha256(b"known"), "out:latest");
        let tag = sha256(b"known").replace("sha256:", "a:");
        assert_eq!(labels.apply(&tag), "a:[out:latest]");
    }

    #[test]
    fn only_known_digests_are_replaced() {
        let (known, unknown) = (sha256(b"known"), sha256(b"unknown"));
        let mut labels = Labels::default();
        labels.insert(&known, "out:latest");
        labels.insert(&known, "another name");
        let dashed = known.replace(':', "-");
        let text = format!("a@{known}\nb@{unknown} sha256: {known}0 {dashed}.sbom sha256é");
        let want =
            format!("a@[out:latest]\nb@{unknown} sha256: {known}0 [out:latest].sbom sha256é");
        assert_eq!(labels.apply(&text), want);
    }
}
