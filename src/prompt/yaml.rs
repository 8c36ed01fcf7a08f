//! YAML -> a small tree with the place of every key and value.
//!
//! A tree and not a derived struct, so that all problems of a front matter are found at once and each
//! can say what was expected where. Scalars keep the text that the file has: `id: 007` and
//! `model: 4.10` are names, not numbers.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, MessageFormatter as _, Options, Spanned, UserMessageFormatter};
use std::fmt;

/// A value with its line in the file, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct At<T> {
    pub value: T,
    pub line: u32,
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
    pub hint: &'static str,
    pub line: Option<u32>,
}

/// Parses one document. Lines are counted from the beginning of `text`.
pub(super) fn parse(text: &str) -> Result<At<Node>, Refused> {
    let root = serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options());
    root.map(|root| resolve(text, root)).map_err(|error| refusal(text, &error))
}

/// The parser's words, with what they usually mean.
fn refusal(text: &str, error: &Error) -> Refused {
    let place = error.location();
    let positive = |n: u64| u32::try_from(n).ok().filter(|n| *n > 0);
    let mut line = place.and_then(|p| positive(p.line()));
    let said = UserMessageFormatter.format_message(error);
    let mut message = said.lines().next().unwrap_or("it ends too early").to_owned();
    let hint = if is_limit(error) {
        "too large, too deeply nested or too many aliases".clone_into(&mut message);
        "write the values out, or move text below the front matter"
    } else if message.contains("mapping values are not allowed") {
        // Either this line has one `: ` too many, or the line above was taken for text that goes on.
        if let Some(above) = line.and_then(|line| without_colon_above(text, line)) {
            line = Some(above);
            "a line has no `: ` between key and value".clone_into(&mut message);
            "for example: agent: claude"
        } else {
            "put a value that contains `: ` in quotes"
        }
    } else if message.contains("tab") {
        // The parser names the line above.
        if let Some(at) = text.lines().position(|line| line.starts_with('\t')) {
            line = u32::try_from(at + 1).ok();
        }
        "indent with spaces"
    } else if message.contains("quote") {
        "is a closing quote missing, here or on the line above?"
    } else if message.contains("bracket") || message.contains("brace") {
        "close what is opened here"
    } else {
        "put values that begin with a special character or contain ` #` in quotes"
    };
    Refused { message, hint, line }
}

/// The number of the line above `line`, when it has no `: ` and `line` has at most one.
fn without_colon_above(text: &str, line: u32) -> Option<u32> {
    let above = line.checked_sub(1)?;
    let nth = |number: u32| text.lines().nth(usize::try_from(number).ok()?.checked_sub(1)?);
    let colons = |line: &str| line.matches(": ").count() + usize::from(line.ends_with(':'));
    let slipped = nth(above).filter(|line| !line.trim().is_empty() && line.trim() != "---")?;
    (colons(slipped) == 0 && colons(nth(line)?) == 1).then_some(above)
}

fn is_limit(error: &Error) -> bool {
    match error {
        Error::AliasError { error, .. } => is_limit(error),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => true,
        _ => false,
    }
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
    At { value, line: u32::try_from(place.line()).unwrap_or(u32::MAX) }
}

/// What the file has at a scalar's place.
fn spelling(text: &str, place: serde_saphyr::Location) -> Option<String> {
    let start = usize::try_from(place.span().byte_offset()?).ok()?;
    let len = usize::try_from(place.span().byte_len()?).ok()?;
    let spelled = text.get(start..start.checked_add(len)?)?.trim();
    (!spelled.is_empty()).then(|| spelled.to_owned())
}
