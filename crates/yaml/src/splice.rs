//! Puts images in the place of references.

use std::borrow::Cow;

use crate::block;
use crate::edit::{Edit, Spliced};
use crate::error::Unfit;
use crate::file::File;
use crate::found::{Extent, Found, Style};
use crate::quoted;
use crate::schema;

impl<'a> File<'a> {
    /// The file with each reference replaced by what `image` says for it, and
    /// without what [`File::select`] dropped. Every byte outside of these is
    /// the user's.
    ///
    /// A scalar keeps its style if it reads back as exactly the new string in
    /// it: quotes are escaped as they ask for, a block scalar's header says `-`
    /// because an image has no line feed at its end; what cannot be kept is put
    /// in double quotes.
    ///
    /// # Errors
    ///
    /// A replacement inside a longer string ([`Extent::Embedded`]) that has
    /// other characters than ASCII letters, digits and `-._~/+@:`, or that ends
    /// with `:`. Image references have neither.
    pub fn splice<'i>(
        &self,
        image: impl FnMut(&Found) -> Cow<'i, str>,
    ) -> Result<Spliced<'a>, Unfit> {
        Ok(Spliced::new(self.text, self.edits(image)?))
    }

    /// The edits of [`File::splice`].
    pub(crate) fn edits<'i>(
        &self,
        mut image: impl FnMut(&Found) -> Cow<'i, str>,
    ) -> Result<Vec<Edit>, Unfit> {
        let mut edits = self.selection();
        for found in &self.references {
            let value = image(found);
            match found.extent {
                Extent::Whole => edits.extend(whole(self.text, found, &value)),
                Extent::Embedded => edits.push(embedded(found, value)?),
            }
        }
        Ok(edits)
    }
}

fn embedded(found: &Found, value: Cow<'_, str>) -> Result<Edit, Unfit> {
    if !schema::is_simple(&value) || value.ends_with(':') {
        return Err(Unfit { position: found.position, value: value.into_owned() });
    }
    Ok(Edit::new(found.span.clone(), value.into_owned()))
}

fn whole(text: &str, found: &Found, value: &str) -> Vec<Edit> {
    let scalar = match found.style {
        Style::Literal | Style::Folded => return block::replace(text, &found.span, value),
        Style::Plain => schema::is_plain(value).then(|| value.to_owned()),
        Style::Single => quoted::single(value),
        Style::Double => None,
    };
    let scalar = scalar.unwrap_or_else(|| quoted::double(value));
    vec![Edit::new(found.span.clone(), scalar)]
}
