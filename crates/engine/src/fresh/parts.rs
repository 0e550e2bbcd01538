//! What an image was made of beside its program, so that it can be said why it
//! is another one although the program is fresh. Nothing depends on it.

use oci::{DiffId, Digest, Platform};
use serde::{Deserialize, Serialize};

use crate::base::BaseImage;
use crate::event::{Event, Part};
use crate::listing::Program;
use crate::make::Kodata;
use crate::run::Run;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Parts {
    base: Option<Digest>,
    kodata: DiffId,
}

impl store::Record for Parts {
    const KIND: &'static str = "image-parts";
    const VERSION: u32 = 1;
}

impl Run {
    /// Tells which parts of an image are not those of the last time.
    pub(crate) fn compare_parts(&self, program: &Program, base: &BaseImage, kodata: &Kodata) {
        let import_path = program.main.import_path.to_string();
        let platform: &Platform = base.platform();
        let key = format!("{import_path} {platform} {}", program.dir.display());
        let is =
            Parts { base: base.named().map(|(_, digest)| digest), kodata: kodata.layer.diff_id };
        let was: Option<Parts> = self.store.record(&key);
        if was.as_ref() == Some(&is) {
            return;
        }
        if let Some(was) = was {
            let tell = |part| {
                let (import_path, platform) = (import_path.clone(), platform.clone());
                self.observer.tell(Event::Changed { import_path, platform, part });
            };
            if was.base != is.base {
                tell(Part::Base { was: was.base, is: is.base });
            }
            if was.kodata != is.kodata {
                let mut path = program.main.dir.join("kodata");
                let different = kodata.different.as_ref();
                path.extend(different.map(|different| &different.name));
                let others = different.map_or(0, |different| different.others);
                tell(Part::Kodata { path, others });
            }
        }
        // Without, nothing is said the next time.
        let _ = self.store.put_record(&key, &is);
    }
}
