//! When a limit lifts, from the words an agent prints.
//!
//! Times without a zone are the machine's local time: CLIs print what their user's clock shows.

use super::account::Lifts;
use super::phrase;
use crate::model::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use std::time::Duration;

/// A printed minute that just went by still means now, not tomorrow. Seconds.
const JUST_NOW: i64 = 300;

/// Limits are counted by the minute, day, week or month. A later time was misread.
const LONGEST: Duration = Duration::from_hours(100 * 24);

/// The time after which trying again makes sense, if the text or an event names one.
pub(super) fn lifts_at(
    text: &str,
    event: Option<Lifts>,
    now: Timestamp,
    zone: &TimeZone,
) -> Option<Timestamp> {
    let lifts = match event {
        Some(Lifts::At(ms)) => Some(Timestamp(ms)),
        Some(Lifts::In(seconds)) => after(now, seconds),
        None => {
            let lower = phrase::shorten(text, phrase::READ).to_lowercase();
            epoch(&lower)
                .or_else(|| from_now(&lower, now))
                .or_else(|| at_clock_time(&lower, now, zone))
        }
    };
    lifts.filter(|lifts| lifts.since(now) <= LONGEST)
}

fn after(now: Timestamp, seconds: f64) -> Option<Timestamp> {
    Duration::try_from_secs_f64(seconds).ok().map(|wait| now.after(wait))
}

/// `usage limit reached|1795264800`: seconds (or milliseconds) since the epoch after a bar.
fn epoch(lower: &str) -> Option<Timestamp> {
    lower.split('|').skip(1).find_map(|part| {
        let digits = digits(part.trim_start());
        let number: i64 = digits.parse().ok()?;
        match digits.len() {
            10 => Some(Timestamp(number * 1000)),
            13 => Some(Timestamp(number)),
            _ => None,
        }
    })
}

fn digits(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())]
}

/// `try again in 20s`, `retry in 12.5s`, `resets in 2h 5m`, `retry-after: 30`, `"retrydelay":"34s"`.
fn from_now(lower: &str, now: Timestamp) -> Option<Timestamp> {
    const BEFORE: [&str; 7] = [
        "again in ",
        "retry in ",
        "retrying in ",
        "resets in ",
        "reset in ",
        "retry-after",
        "retrydelay",
    ];
    BEFORE.iter().find_map(|words| {
        let (_, rest) = lower.split_once(words)?;
        after(now, span_seconds(rest.trim_start_matches([' ', ':', '"', '\\', '='])))
            .filter(|at| at.0 > now.0)
    })
}

/// The seconds that a span such as `1h 30m`, `2 hours 3 minutes`, `1.5s` or a bare `20` begins with; 0 if none.
fn span_seconds(text: &str) -> f64 {
    let mut total = 0.0;
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let Ok(number) = rest[..end].trim_end_matches('.').parse::<f64>() else { return total };
        let after = rest[end..].trim_start_matches(' ');
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let seconds = match &after[..unit_end] {
            "ms" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86400.0,
            // A bare number counts seconds, as in a Retry-After header.
            _ => return if total > 0.0 { total } else { number },
        };
        total += number * seconds;
        rest = after[unit_end..].trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
}

/// `resets 3pm (America/New_York)`, `try again at 12:52 PM`, `try again at Nov 25th, 2026 3:04 PM`,
/// `resets Nov 25 at 3pm`, `until 2026-11-21T15:00:00Z`.
fn at_clock_time(lower: &str, now: Timestamp, local: &TimeZone) -> Option<Timestamp> {
    const BEFORE: [&str; 9] = [
        "again at ",
        "again after ",
        "resets at ",
        "reset at ",
        "resets on ",
        "resets ",
        "reset after ",
        "available at ",
        "until ",
    ];
    BEFORE.iter().find_map(|words| {
        let (_, rest) = lower.split_once(words)?;
        instant(rest).or_else(|| clock(rest, now, local))
    })
}

/// An RFC 3339 time with its zone.
fn instant(text: &str) -> Option<Timestamp> {
    let word = text.split_whitespace().next()?.trim_end_matches(['.', ',', ')', '"']);
    let time: jiff::Timestamp = word.to_uppercase().parse().ok()?;
    Some(Timestamp(time.as_millisecond()))
}

fn clock(text: &str, now: Timestamp, local: &TimeZone) -> Option<Timestamp> {
    let zone = named_zone(text, local)?;
    let today = jiff::Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone());
    let words: Vec<&str> = text
        .split([' ', ',', '(', '\u{202f}', '\u{a0}'])
        .filter(|word| !word.is_empty())
        .take(7)
        .collect();
    let mut month = None;
    let mut day = None;
    let mut year = None;
    for (index, word) in words.iter().enumerate() {
        let bare = word.trim_end_matches(['.', ')', '"']);
        if let Some(number) = month_of(bare) {
            month = Some(number);
        } else if let Some(time) = time_of(bare, words.get(index + 1).copied()) {
            return resolve(&today, &zone, (year, month, day), time);
        } else if month.is_some() && day.is_none() {
            day = digits(bare).parse::<i8>().ok();
        } else if day.is_some() && digits(bare).len() == 4 {
            year = bare.parse::<i16>().ok();
        } else if !matches!(bare, "at" | "on" | "am" | "pm") {
            return None;
        }
    }
    None
}

fn month_of(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = word.get(..3)?;
    let index = MONTHS.iter().position(|month| *month == start)?;
    word.chars().all(char::is_alphabetic).then(|| i8::try_from(index + 1).ok())?
}

/// `3pm`, `3:30pm`, `12:52` followed by `pm`, `15:00`. A bare number is a day.
fn time_of(word: &str, next: Option<&str>) -> Option<Time> {
    let number_end = word.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(word.len());
    let (number, suffix) = word.split_at(number_end);
    let next = next.map(|word| word.trim_end_matches(['.', ')', '"']));
    let half = if suffix.is_empty() {
        next.filter(|word| matches!(*word, "am" | "pm")).unwrap_or_default()
    } else {
        suffix
    };
    let (hour, minute) = number.split_once(':').unwrap_or((number, "0"));
    let hour: i8 = hour.parse().ok()?;
    let minute: i8 = minute.get(..2).unwrap_or(minute).parse().ok()?;
    let hour = match half {
        "am" => hour % 12,
        "pm" => hour % 12 + 12,
        "" if number.contains(':') => hour,
        _ => return None,
    };
    Time::new(hour, minute, 0, 0).ok()
}

/// `(America/New_York)`, `(UTC)`, or the local one. A zone that this machine does not know makes the time unknown.
fn named_zone(lower: &str, local: &TimeZone) -> Option<TimeZone> {
    let inner =
        lower.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(zone, _)| zone);
    match inner {
        Some("utc" | "gmt") => Some(TimeZone::UTC),
        Some(zone) if zone.contains('/') => TimeZone::get(zone).ok(),
        _ => Some(local.clone()),
    }
}

fn resolve(
    today: &Zoned,
    zone: &TimeZone,
    (year, month, day): (Option<i16>, Option<i8>, Option<i8>),
    time: Time,
) -> Option<Timestamp> {
    let dated = month.zip(day);
    let date = match dated {
        Some((month, day)) => Date::new(year.unwrap_or(today.year()), month, day).ok()?,
        None => today.date(),
    };
    let at = |date: Date| date.to_datetime(time).to_zoned(zone.clone()).ok();
    let mut lifts = at(date)?;
    let gone = today.timestamp().as_second() - lifts.timestamp().as_second() > JUST_NOW;
    if gone && year.is_none() {
        lifts = at(date.checked_add(if dated.is_some() { 1.year() } else { 1.day() }).ok()?)?;
    }
    Some(Timestamp(lifts.timestamp().as_millisecond()))
}

#[cfg(test)]
#[path = "resets_tests.rs"]
mod tests;
