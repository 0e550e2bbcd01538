//! Holds what an image is called: the name below its destination, and its tags.

use golang::{ImportPath, Template};
use oci::{Digest, Tag};

/// A tag, or what makes some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagSource {
    /// A tag.
    Tag(Tag),
    /// A template that comes to tags with commas between them, or to nothing.
    Template(Template),
}

impl TagSource {
    /// The template, if it is one.
    pub(crate) fn template(&self) -> Option<&Template> {
        match self {
            Self::Tag(_) => None,
            Self::Template(template) => Some(template),
        }
    }
}

impl From<Tag> for TagSource {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

/// What the image of a program is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ImageName {
    /// The program.
    pub import_path: ImportPath,
    /// The name without a tag, as the user spells the destination.
    pub name: String,
    /// The tags: there is always one.
    pub tags: Vec<Tag>,
}

impl ImageName {
    /// Each tag, behind the name if there is one: in a layout, one image needs none.
    pub fn tagged(&self) -> Vec<String> {
        let tagged = |tag: &Tag| match &*self.name {
            "" => tag.to_string(),
            name => format!("{name}:{tag}"),
        };
        self.tags.iter().map(tagged).collect()
    }

    /// What a registry's reference is printed as.
    pub(crate) fn printed(&self, digest: Digest, tag_only: bool) -> String {
        let name = &self.name;
        match &self.tags[..] {
            [tag] if tag_only => format!("{name}:{tag}"),
            [tag] if *tag != Tag::latest() => format!("{name}:{tag}@{digest}"),
            _ => format!("{name}@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_name_is_called_by_its_tags() {
        let mut image = ImageName {
            import_path: ImportPath::parse("a/B").unwrap(),
            name: "b".to_owned(),
            tags: vec!["v1".parse().unwrap(), Tag::latest()],
        };
        assert_eq!(image.tagged(), ["b:v1", "b:latest"]);
        image.name.clear();
        assert_eq!(image.tagged(), ["v1", "latest"]);
    }

    #[test]
    fn printed_references_are_ko_s() {
        let digest = oci::Digest::of(b"");
        let printed = |tags: &[&str], tag_only| {
            let image = ImageName {
                import_path: ImportPath::parse("a/B").unwrap(),
                name: "r.io/x/b".to_owned(),
                tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            };
            image.printed(digest, tag_only)
        };
        assert_eq!(printed(&["latest"], false), format!("r.io/x/b@{digest}"));
        assert_eq!(printed(&["v1"], false), format!("r.io/x/b:v1@{digest}"));
        assert_eq!(printed(&["v1", "v2"], false), format!("r.io/x/b@{digest}"));
        assert_eq!(printed(&["v1"], true), "r.io/x/b:v1");
    }
}
