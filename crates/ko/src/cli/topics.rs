//! Holds the topics of `ko help`: the pages below `docs/topics`, as a terminal shows
//! them.

/// A text about more than one command.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    page: &'static str,
}

macro_rules! topic {
    ($name:literal, $about:literal) => {
        Topic {
            name: $name,
            about: $about,
            page: include_str!(concat!("../../../../docs/topics/", $name, ".md")),
        }
    };
}

/// All topics, by name.
pub(super) const TOPICS: [Topic; 6] = [
    topic!("bases", "Base images: which one, for which platforms"),
    topic!("cache", "What is kept between runs, where, and for how long"),
    topic!("configuration", ".ko.yaml, variables, and which of them count"),
    topic!("credentials", "How ko logs in to registries"),
    topic!("freshness", "When a program is not built again, and why"),
    topic!("naming", "What images are called, their tags, and where they go"),
];

/// The topic of a name.
pub(super) fn find(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

impl Topic {
    /// The page without what only a browser understands: the targets of links, and
    /// the sign in front of the heading.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut rest = self.page.trim_start_matches("# ");
        while let Some((before, link)) = rest.split_once("](") {
            let (target, after) = link.split_once(')').unwrap_or((link, ""));
            debug_assert!(!target.contains('\n'), "a link without an end: {target}");
            let label = before.rfind('[').unwrap_or(before.len());
            text.push_str(&before[..label]);
            text.push_str(before[label..].trim_start_matches('['));
            rest = after;
        }
        text + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_shown_without_markup() {
        for topic in &TOPICS {
            let text = topic.text();
            assert!(!text.starts_with('#') && !text.contains("]("), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 88), "{text}");
        }
        let bases = find("bases").unwrap().text();
        assert!(bases.starts_with("Base images\n\n"), "{bases}");
        assert!(bases.contains("More: docs/reference/configuration.md,\n"), "{bases}");
    }

    /// The links of a page lead to pages, which are called as the text says.
    #[test]
    fn pages_link_to_pages() {
        let topics = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/topics");
        for topic in &TOPICS {
            for link in topic.page.split("](").skip(1) {
                let target = link.split(')').next().unwrap();
                assert!(topics.join(target).is_file(), "{}: {target}", topic.name);
                let named = format!("[docs/{}](", target.trim_start_matches("../"));
                assert!(topic.page.contains(&named), "{}: {target}", topic.name);
            }
        }
    }
}
