//! Text -> terms to compare: the words of a prompt, a path, a commit message.
//!
//! Names are taken apart (`TaskRouter`, `task_router`, `task-router` are all `task` and `router`), so that a prompt
//! meets code in any naming style. Scripts written without spaces give pairs of characters, which needs
//! no dictionary of any language.

/// Longer words are hashes, keys and data.
const LONGEST: usize = 32;

/// Calls `found` with each term of `text`, lower-case, in order; terms repeat.
pub(super) fn terms(text: &str, mut found: impl FnMut(&str)) {
    let mut word = String::new();
    let mut previous: Option<char> = None;
    let mut wide: Option<char> = None;
    for c in text.chars() {
        if is_wide(c) {
            flush(&mut word, &mut found);
            if let Some(first) = wide {
                let mut pair = String::with_capacity(8);
                pair.push(first);
                pair.push(c);
                found(&pair);
            }
            wide = Some(c);
            previous = None;
            continue;
        }
        wide = None;
        if !c.is_alphanumeric() {
            flush(&mut word, &mut found);
            previous = None;
            continue;
        }
        let hump = previous.is_some_and(|p| p.is_lowercase() && c.is_uppercase());
        if hump {
            flush(&mut word, &mut found);
        }
        word.extend(c.to_lowercase());
        previous = Some(c);
    }
    flush(&mut word, &mut found);
}

fn flush(word: &mut String, found: &mut impl FnMut(&str)) {
    let length = word.len();
    if (2..=LONGEST).contains(&length) && !word.bytes().all(|b| b.is_ascii_digit()) {
        found(singular(word));
    }
    word.clear();
}

/// `routers` and `router` are one term; `class` and `status` stay.
fn singular(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !stem.ends_with(['s', 'u', 'i']) => stem,
        _ => word,
    }
}

/// Scripts in which words are not told apart by spaces.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xF900..=0xFAFF)
}

#[cfg(test)]
mod tests {
    use super::terms;

    fn of(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        terms(text, |term| all.push(term.to_owned()));
        all
    }

    #[test]
    fn names_come_apart_whatever_their_style() {
        for name in ["TaskRouter", "task_router", "task-router", "task.router", "taskRouters"] {
            assert_eq!(of(name), ["task", "router"], "{name}");
        }
        assert_eq!(of("src/HTTPServer.rs"), ["src", "httpserver", "rs"]);
        assert_eq!(of("a 12 0.5 class status"), ["class", "status"]);
    }

    #[test]
    fn scripts_without_spaces_give_pairs() {
        assert_eq!(of("設定を直す"), ["設定", "定を", "を直", "直す"]);
        assert_eq!(of("TUI設定"), ["tui", "設定"]);
        assert_eq!(of("直"), Vec::<String>::new());
    }
}
