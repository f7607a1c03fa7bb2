//! What functions take and give.

use crate::types::Type;

/// What a function needs in one place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need {
    Any,
    Text,
    Number,
    List,
    /// A text, a list or a map.
    Sized,
}

impl Need {
    pub(super) fn accepts(self, given: &Type) -> bool {
        matches!(
            (self, given),
            (Self::Any, _)
                | (_, Type::Any)
                | (Self::Text | Self::Sized, Type::Text | Type::OneOf(_))
                | (Self::Number, Type::Number)
                | (Self::List | Self::Sized, Type::List(_))
                | (Self::Sized, Type::Map { .. })
        )
    }

    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Text => "a text",
            Self::Number => "a number",
            Self::List => "a list",
            Self::Sized => "a text, a list or a map",
        }
    }
}

/// The needs of a function in order, its target first, and what it gives. `None`: not one that is known here.
pub(super) fn signature(name: &str) -> Option<(&'static [Need], Type)> {
    use Need::{Any, List, Number, Sized, Text};
    let texts = || Type::List(Box::new(Type::Text));
    Some(match name {
        "size" => (&[Sized], Type::Number),
        "contains" | "startsWith" | "endsWith" | "matches" => (&[Text, Text], Type::Bool),
        "split" => (&[Text, Text, Number], texts()),
        "join" => (&[List, Text], Type::Text),
        "trim" | "lowerAscii" | "upperAscii" | "lower" | "upper" => (&[Text], Type::Text),
        "replace" => (&[Text, Text, Text, Number], Type::Text),
        "substring" => (&[Text, Number, Number], Type::Text),
        "indexOf" => (&[Text, Text, Number], Type::Number),
        "int" | "uint" | "double" => (&[Any], Type::Number),
        "string" => (&[Any], Type::Text),
        "bool" => (&[Any], Type::Bool),
        "getFullYear" | "getMonth" | "getDate" | "getDayOfMonth" | "getDayOfWeek" | "getDayOfYear"
        | "getHours" | "getMinutes" | "getSeconds" | "getMilliseconds" => (&[Any, Text], Type::Number),
        "semver.major" | "semver.minor" | "semver.patch" => (&[Text], Type::Number),
        "semver.prerelease" => (&[Text], Type::Text),
        "semver.compare" => (&[Text, Text], Type::Number),
        "semver.satisfies" => (&[Text, Text], Type::Bool),
        "semver.is_valid" => (&[Text], Type::Bool),
        _ => return None,
    })
}
