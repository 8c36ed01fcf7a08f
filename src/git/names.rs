//! Paths as git stores them: bytes. Acting on a file takes the bytes; showing it takes text.

use std::fmt::Write;
use std::path::PathBuf;

/// The path as the file system takes it.
#[cfg(unix)]
pub(crate) fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

/// The path as the file system takes it (git stores names as UTF-8 where the system does not use
/// bytes).
#[cfg(not(unix))]
pub(crate) fn path(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// The path as text, without loss: names that are not UTF-8 (or begin with a quotation mark) are
/// quoted as git quotes them, `"caf\351.txt"`.
pub(crate) fn show(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.starts_with('"')
    {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' => quoted.push_str("\\\""),
            b'\\' => quoted.push_str("\\\\"),
            0x20..=0x7e => quoted.push(char::from(byte)),
            _ => _ = write!(quoted, "\\{byte:03o}"),
        }
    }
    quoted.push('"');
    quoted
}

/// Splits what git prints with `-z`.
pub(crate) fn nul_separated(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split(|&b| b == 0).filter(|part| !part.is_empty())
}

/// The first names of a list, for a message.
pub(crate) fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        _ = write!(text, " and {} more", names.len() - SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_utf8_is_shown_without_loss() {
        assert_eq!(show("ä b".as_bytes()), "ä b");
        assert_eq!(show(b"caf\xe9.txt"), r#""caf\351.txt""#);
        assert_eq!(show(br#""q""#), r#""\"q\"""#);
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..7).map(|n| n.to_string()).collect();
        assert_eq!(some(&names), "0, 1, 2, 3, 4 and 2 more");
        assert_eq!(some(&names[..2]), "0, 1");
    }
}
