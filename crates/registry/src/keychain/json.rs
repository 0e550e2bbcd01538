//! Reads JSON as Go does: Docker, podman and credential helpers are written in
//! it.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Reads the first JSON value of a text, as Go's decoder does: what follows is
/// not looked at, and bytes that are no UTF-8 are replaced.
pub(super) fn read<T: for<'de> Deserialize<'de>>(
    text: &[u8],
) -> Result<Option<T>, serde_json::Error> {
    let text = String::from_utf8_lossy(text);
    Option::deserialize(&mut serde_json::Deserializer::from_str(&text))
}

/// An object that is read as Go reads it into a struct: names count in any
/// case, of several the last, and `null` changes nothing.
pub(super) trait Members: Default {
    /// Takes a member.
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Reads an object.
pub(super) fn members<'de, T: Members, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Members> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
            let mut object = T::default();
            while let Some(name) = map.next_key::<String>()? {
                object.member(&name, &mut map)?;
            }
            Ok(object)
        }
    }
    deserializer.deserialize_map(Object(PhantomData))
}

/// Reads a member into its place.
pub(super) fn set<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    place: &mut T,
    map: &mut A,
) -> Result<(), A::Error> {
    if let Some(value) = map.next_value()? {
        *place = value;
    }
    Ok(())
}

/// Reads a member whose own members are added to those that are there; `null`
/// takes them all away.
pub(super) fn add<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    place: &mut BTreeMap<String, T>,
    map: &mut A,
) -> Result<(), A::Error> {
    match map.next_value::<Option<BTreeMap<String, T>>>()? {
        Some(more) => place.extend(more),
        None => place.clear(),
    }
    Ok(())
}
