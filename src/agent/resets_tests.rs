use super::*;

const NOW: &str = "2026-11-21T11:53:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn read(text: &str, zone: &TimeZone) -> Option<String> {
    lifts_at(text, None, at(NOW), zone).map(|time| {
        let time = jiff::Timestamp::from_millisecond(time.0).unwrap();
        time.to_string()
    })
}

#[test]
fn every_way_to_say_when() {
    for (text, expected) in [
        ("Claude AI usage limit reached|1795264800", "2026-11-21T12:40:00Z"),
        ("usage limit reached|1795264800123 more", "2026-11-21T12:40:00.123Z"),
        ("You've hit your limit · resets 3pm (America/New_York)", "2026-11-21T20:00:00Z"),
        ("limit reached ∙ resets 5:30am (UTC)", "2026-11-22T05:30:00Z"),
        ("Your limit will reset at 3pm (Europe/Berlin).", "2026-11-21T14:00:00Z"),
        ("weekly limit reached · resets Nov 25 at 9am (UTC)", "2026-11-25T09:00:00Z"),
        ("weekly limit reached · resets Nov 25, 9am (UTC)", "2026-11-25T09:00:00Z"),
        ("resets Jan 2, 10:15pm (UTC)", "2027-01-02T22:15:00Z"),
        ("purchase more credits or try again at 12:52 PM.", "2026-11-21T12:52:00Z"),
        ("try again at 12:05 AM.", "2026-11-22T00:05:00Z"),
        ("try again at 23:05.", "2026-11-21T23:05:00Z"),
        ("try again at Feb 3rd, 2027 10:05 AM.", "2027-02-03T10:05:00Z"),
        ("try again at 11:52 AM", "2026-11-21T11:52:00Z"),
        ("blocked until 2026-11-21T15:00:00+01:00.", "2026-11-21T14:00:00Z"),
        ("Please try again in 20s.", "2026-11-21T11:53:20Z"),
        ("Please try again in 6m0s. Contact us", "2026-11-21T11:59:00Z"),
        ("try again in 1.5s", "2026-11-21T11:53:01.5Z"),
        ("try again in 350ms", "2026-11-21T11:53:00.35Z"),
        ("try again in 2 days, 3 hours and 4 minutes", "2026-11-23T14:57:00Z"),
        ("Retry-After: 30", "2026-11-21T11:53:30Z"),
        ("{\"retry-after\":\"1\"}", "2026-11-21T11:53:01Z"),
        ("{\"retryDelay\":\"34s\"}", "2026-11-21T11:53:34Z"),
    ] {
        assert_eq!(read(text, &TimeZone::UTC).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn a_bare_clock_time_is_local() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    assert_eq!(read("try again at 1:52 PM", &berlin).as_deref(), Some("2026-11-21T12:52:00Z"));
}

#[test]
fn what_names_no_time_gives_none() {
    for text in [
        "",
        "try again later",
        "try again in a moment",
        "try again at your leisure",
        "resets",
        "reached|12",
        "try again in 0s",
        "try again at 25:99",
        "resets Foo 3",
        "try again in 99999999999999999999999999s",
        "resets Feb 31, 3pm",
        "a|b|é",
        "try again in 3000 days",
        "reached|9999999999",
        "resets 3pm (Mars/Olympus_Mons)",
    ] {
        assert_eq!(read(text, &TimeZone::UTC), None, "{text}");
    }
}

#[test]
fn an_event_says_it_best() {
    let event = |lifts| lifts_at("try again in 9s", Some(lifts), at(NOW), &TimeZone::UTC);
    assert_eq!(event(Lifts::At(5)), Some(Timestamp(5)));
    assert_eq!(event(Lifts::In(2.0)), Some(at("2026-11-21T11:53:02Z")));
    assert_eq!(event(Lifts::In(-1.0)), None);
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_it(
        words in proptest::collection::vec(
            "(resets |try again at |try again in |until |\\||\\(|\\)|:|,|am|pm|Feb |Nov 25|/|[0-9]{1,13}|h|m|s|é| |\\PC)",
            0..20,
        ),
    ) {
        let _ = read(&words.concat(), &TimeZone::UTC);
        let _ = phrase::one_line(&words.concat());
    }
}
