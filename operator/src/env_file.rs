//! The settings of a stack in a file, as people and their tools write such files. Nothing is expanded or executed.

use std::fs;
use std::path::{Path, PathBuf};

use lambda::Settings;

use crate::failure::Failure;

/// A file of settings.
#[derive(Debug)]
pub(crate) struct EnvFile {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// A setting, and the line in which it begins.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    line: usize,
    name: String,
    value: String,
}

/// What is wrong with a line.
type Bad = (usize, String);

const HOW: &str = "docs/operator.md, Install, has the command that writes it";

impl EnvFile {
    /// Reads a file. `hint` says what it should be, if it cannot be read.
    pub(crate) fn read(path: &Path, hint: &str) -> Result<Self, Failure> {
        let usage = |what: String| Failure::Usage(format!("{}{what}", path.display()));
        let bytes = fs::read(path).map_err(|error| usage(format!(": {error} ({hint})")))?;
        let text = decode(&bytes).ok_or_else(|| usage(": it is not text in UTF-8 or UTF-16".into()))?;
        let entries = parse(&text).map_err(|(line, what)| usage(format!(", line {line}: {what}")))?;
        if entries.is_empty() {
            return Err(usage(format!(": it has no settings; {HOW}")));
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    pub(crate) fn settings(&self) -> Settings {
        let entries: Vec<_> = self.entries.iter().map(|it| (it.name.as_str(), it.value.as_str())).collect();
        Settings::of(&entries)
    }

    /// What it is and which settings it has, for those who miss one.
    pub(crate) fn describe(&self) -> String {
        let names: Vec<_> = self.entries.iter().map(|it| it.name.as_str()).collect();
        format!("{}, which has {}", self.path.display(), names.join(", "))
    }
}

/// UTF-8, or UTF-16 as PowerShell's `>` writes it; with or without a byte-order mark.
fn decode(bytes: &[u8]) -> Option<String> {
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<_> = bytes.as_chunks().0.iter().map(|pair| read(*pair)).collect();
        String::from_utf16(&units).ok().filter(|_| bytes.len().is_multiple_of(2))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        [first, 0, ..] if *first != 0 => utf16(bytes, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => utf16(bytes, u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

fn parse(text: &str) -> Result<Vec<Entry>, Bad> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut entries: Vec<Entry> = Vec::new();
    let (mut rest, mut line) = (text.as_str(), 1_usize);
    while !rest.is_empty() {
        let (this, below) = rest.split_once('\n').unwrap_or((rest, ""));
        let this = this.trim();
        if this.is_empty() || this.starts_with('#') {
            (rest, line) = (below, line.saturating_add(1));
            continue;
        }
        let bad = |what: String| (line, what);
        let name = name(this).map_err(bad)?;
        let written = rest.split_once('=').map_or("", |(_, behind)| behind).trim_start_matches([' ', '\t']);
        let (value, behind) = match written.chars().next() {
            Some(quote @ ('"' | '\'')) => quoted(written, quote).map_err(bad)?,
            _ => (plain(this).map_err(bad)?, below),
        };
        if ["None", "null"].contains(&value.as_str()) {
            return Err(bad(format!(
                "the value of {name} is {value}: that is how the AWS CLI prints an output that the stack does not have"
            )));
        }
        if let Some(other) = entries.iter().find(|it| it.name == name && it.value != value) {
            return Err(bad(format!("{name} has another value in line {}. Leave one of them", other.line)));
        }
        entries.push(Entry { line, name: name.to_owned(), value });
        let lines = rest.len().checked_sub(behind.len()).and_then(|read| rest.get(..read));
        line = line.saturating_add(lines.map_or(0, |lines| lines.matches('\n').count()));
        rest = behind;
    }
    Ok(entries)
}

/// The name that a line gives a value to.
fn name(line: &str) -> Result<&str, String> {
    match line {
        "None" | "null" => {
            return Err(format!(
                "`{line}` is how the AWS CLI prints an output that the stack does not have. Check --stack-name and the output's name; {HOW}"
            ));
        }
        _ if line.starts_with(['"', '{', '[']) => {
            return Err(format!("it is JSON. Have the AWS CLI write it with --output text; {HOW}"));
        }
        _ => {}
    }
    let Some((before, _)) = line.split_once('=') else {
        return Err(format!("`{line}` has no `=`. Write NAME=VALUE"));
    };
    let exported = before.strip_prefix("export").filter(|name| name.starts_with(char::is_whitespace));
    let name = exported.unwrap_or(before).trim();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_');
    if is_name { Ok(name) } else { Err(format!("`{name}` is not the name of a setting. Write NAME=VALUE")) }
}

const EXPANDED: &str = "nothing is expanded in this file. Write the value itself, or put it into single quotes";

/// A value without quotes: to the end of the line, or to a comment.
fn plain(line: &str) -> Result<String, String> {
    let value = line.split_once('=').map_or("", |(_, value)| value);
    let comment = value
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|at| value.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with(char::is_whitespace)));
    let value = comment.and_then(|at| value.get(..at)).unwrap_or(value).trim();
    if value.contains(['$', '`']) {
        return Err(EXPANDED.into());
    }
    if value.starts_with(['“', '”', '‘', '’']) || value.ends_with(['"', '\'', '“', '”', '‘', '’']) {
        return Err("put the value between two straight quotes, or leave them out".into());
    }
    Ok(value.to_owned())
}

/// A value in quotes, over several lines if need be, and what follows its last line.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            _ if char == quote => {
                let behind = text.get(at..).and_then(|it| it.strip_prefix(quote)).unwrap_or_default();
                let (rest, below) = behind.split_once('\n').unwrap_or((behind, ""));
                let is_end =
                    rest.trim().is_empty() || (rest.starts_with(char::is_whitespace) && rest.trim().starts_with('#'));
                return if is_end { Ok((value, below)) } else { Err("something follows the closing quote".into()) };
            }
            '\\' if quote == '"' => match chars.next_if(|(_, next)| ['"', '\\', '$', '`'].contains(next)) {
                Some((_, next)) => value.push(next),
                None => value.push('\\'),
            },
            '$' | '`' if quote == '"' => return Err(EXPANDED.into()),
            _ => value.push(char),
        }
    }
    Err(format!("the quote {quote} is never closed"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let entries = parse(text).unwrap_or_else(|bad| panic!("{text:?}: {bad:?}"));
        entries.into_iter().map(|it| (it.name, it.value)).collect()
    }

    #[test]
    fn a_file_is_read_as_people_write_it() {
        for line in [
            "X=a b",
            "export X=a b",
            "export\tX = a b",
            "  X  =  a b  ",
            "X=\"a b\"",
            "X='a b' # why",
            "X=a b # why",
            "X = \"a b\"\t",
            "# why\n\n \t\nX=a b\n\n",
            "X=a b\r\n",
            "\rX=a b\r",
            "X=a b\nX='a b'",
        ] {
            let read = values(line);
            assert!(!read.is_empty() && read.iter().all(|it| *it == ("X".into(), "a b".into())), "{line:?}: {read:?}");
        }
        for (line, value) in [
            ("X=", ""),
            ("X=''", ""),
            ("X= # none", ""),
            ("X=a#b", "a#b"),
            ("X=a=b==", "a=b=="),
            ("X='a\"$b`'", "a\"$b`"),
            (r#"X="a\"b\\c\$d\e""#, r#"a"b\c$d\e"#),
            ("X='a\nb'", "a\nb"),
            (r#"X=[{"wallet_type":"mobicash"}]"#, r#"[{"wallet_type":"mobicash"}]"#),
            ("X=C:\\a", "C:\\a"),
            ("exported=1", "1"),
        ] {
            assert_eq!(values(line)[0].1, value, "{line:?}");
        }
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_says_what_to_do() {
        for (text, line, says) in [
            ("None", 1, "--stack-name"),
            ("null\n", 1, "--stack-name"),
            ("A=1\nB=None\n", 2, "the value of B is None"),
            ("A='1\n2'\n\nnonsense", 4, "has no `=`"),
            ("\"A=1\\nB=2\"", 1, "--output text"),
            ("{\"A\": 1}", 1, "--output text"),
            ("A=1\r\n=2", 2, "is not the name"),
            ("A-B=1", 1, "is not the name"),
            ("$env:A = 1", 1, "is not the name"),
            ("1A=1", 1, "is not the name"),
            ("# a\nA=\"1\nB=2", 2, "never closed"),
            ("A='1'2", 1, "follows the closing quote"),
            ("A=1'", 1, "straight quotes"),
            ("A=“1”", 1, "straight quotes"),
            ("A=$HOME", 1, "nothing is expanded"),
            ("A=\"`b`\"", 1, "nothing is expanded"),
            ("A=1\nB=2\nA=3", 3, "another value in line 1"),
        ] {
            let (at, what) = parse(text).unwrap_err();
            assert_eq!((at, what.contains(says)), (line, true), "{text:?}: {what}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_alike_in_each_encoding_or_names_a_line_of_it(text in "([A-C=# '\"\n\r\t$\\\\é]|export ){0,24}") {
            let units: Vec<u16> = text.encode_utf16().collect();
            let bytes = |write: fn(u16) -> [u8; 2], mark: &[u8]| [mark, &units.iter().copied().flat_map(write).collect::<Vec<_>>()].concat();
            for bytes in [
                text.as_bytes().to_vec(),
                ["\u{feff}".as_bytes(), text.as_bytes()].concat(),
                bytes(u16::to_le_bytes, &[0xff, 0xfe]),
                bytes(u16::to_be_bytes, &[0xfe, 0xff]),
            ] {
                prop_assert_eq!(decode(&bytes), Some(text.clone()));
            }
            if let Err((line, _)) = parse(&text) {
                prop_assert!(line >= 1 && line <= text.replace("\r\n", "\n").split(['\n', '\r']).count());
            }
        }
    }

    #[test]
    fn utf_16_is_known_without_its_mark_and_other_bytes_are_no_text() {
        assert_eq!(decode(b"A\0=\x001\0").as_deref(), Some("A=1"));
        assert_eq!(decode(b"\0A\0=\x001").as_deref(), Some("A=1"));
        for bytes in [&b"A=\xff"[..], b"\xff\xfeA", b"\xff\xfe\0\xd8"] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
