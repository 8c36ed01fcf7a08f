//! YAML -> a small tree with the place of every key and value.
//!
//! A tree and not a derived struct, so that all problems of a front matter are found at once and each
//! can say what was expected where. Scalars keep the text that the file has: `id: 007` and
//! `model: 4.10` are names, not numbers.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{MessageFormatter as _, Options, Spanned, UserMessageFormatter};
use std::fmt;

/// A value with its place in the file, both from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct At<T> {
    pub value: T,
    pub line: u32,
    pub column: u32,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// `key:` with nothing behind it, `~` or `null`.
    Null,
    /// Text, a number or a truth value, as the file spells it.
    Scalar(String),
    List(Vec<At<Node>>),
    /// In the file's order, repeated keys included.
    Map(Vec<(At<Node>, At<Node>)>),
}

/// What the YAML reader refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub message: String,
    pub line: Option<u32>,
    pub column: Option<u32>,
}

/// Parses one document. Lines are counted from the beginning of `text`.
pub(super) fn parse(text: &str) -> Result<At<Node>, Refused> {
    let root = serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options());
    root.map(|root| resolve(text, root)).map_err(|error| {
        let message = UserMessageFormatter.format_message(&error);
        let place = error.location();
        let positive = |n: u64| u32::try_from(n).ok().filter(|n| *n > 0);
        Refused {
            message: message.lines().next().unwrap_or("not valid YAML").to_owned(),
            line: place.and_then(|p| positive(p.line())),
            column: place.and_then(|p| positive(p.column())),
        }
    })
}

/// Repeated keys come through, to be named with both their lines; the limits are far above any front
/// matter and low enough that aliases of aliases end at once.
fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 20_000 },
        budget: serde_saphyr::budget! {
            max_depth: 16,
            flow_nesting_limit: 16,
            max_nodes: 20_000,
            max_events: 50_000,
            max_aliases: 200,
            max_anchors: 200,
            max_recorded_anchor_events: 20_000,
            max_recorded_anchor_bytes: 1024 * 1024,
        },
    }
}

/// A value as serde hands it over.
enum Raw {
    Null,
    Text(String),
    /// A number or truth value: its spelling is taken from the source.
    Literal(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Literal(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Literal(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Literal(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Literal(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Literal(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Literal(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

fn resolve(text: &str, raw: Spanned<Raw>) -> At<Node> {
    let place = raw.referenced;
    let value = match raw.value {
        Raw::Null => Node::Null,
        Raw::Text(text) => Node::Scalar(text),
        Raw::Literal(value) => Node::Scalar(spelling(text, raw.defined).unwrap_or(value)),
        Raw::List(items) => Node::List(items.into_iter().map(|i| resolve(text, i)).collect()),
        Raw::Map(entries) => Node::Map(
            entries.into_iter().map(|(k, v)| (resolve(text, k), resolve(text, v))).collect(),
        ),
    };
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    At { value, line: number(place.line()), column: number(place.column()) }
}

/// What the file has at a scalar's place.
fn spelling(text: &str, place: serde_saphyr::Location) -> Option<String> {
    let start = usize::try_from(place.span().byte_offset()?).ok()?;
    let len = usize::try_from(place.span().byte_len()?).ok()?;
    let spelled = text.get(start..start.checked_add(len)?)?.trim();
    (!spelled.is_empty()).then(|| spelled.to_owned())
}
