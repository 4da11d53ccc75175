//! Whether a text comes back from the provider as it was sent (docs/decisions/0028-refuse-labels-that-do-not-survive.md).

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};

use crate::InvalidValue;

const ENDS: &str = "must not begin or end with white space";
const WHITE_SPACE: &str = "must not contain white space other than the space U+0020";
const INVISIBLE: &str =
    "must not contain invisible characters, such as a zero-width space, a direction mark or a variation selector";
const JOINER: &str =
    "may contain the joiners U+200C and U+200D only between letters of a script without capital letters";
const UNASSIGNED: &str = "must not contain characters that Unicode has not assigned";
const NORMAL_FORM: &str = "must be in Unicode normalization form C (NFC)";

/// Checks that neither trimming, nor removing what is invisible, nor normalising changes a text. The text has no control characters.
///
/// # Errors
/// [`InvalidValue`] with the rule that is broken.
pub(crate) fn check_unchanged(text: &str) -> Result<(), InvalidValue> {
    let has_outer_space = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    let broken = if has_outer_space {
        Some(ENDS)
    } else if text.is_ascii() {
        None
    } else {
        broken_rule(text)
    };
    broken.map_or(Ok(()), |rule| Err(InvalidValue(rule.into())))
}

fn broken_rule(text: &str) -> Option<&'static str> {
    let mut before = None;
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        let broken = match char {
            '\u{200c}' | '\u{200d}' if is_joined(before) && is_joined(rest.clone().next()) => None,
            '\u{200c}' | '\u{200d}' => Some(JOINER),
            ' ' => None,
            _ if char.is_whitespace() => Some(WHITE_SPACE),
            _ if is_invisible(char) => Some(INVISIBLE),
            _ if category(char) == GeneralCategory::Unassigned => Some(UNASSIGNED),
            _ => None,
        };
        if broken.is_some() {
            return broken;
        }
        before = Some(char);
    }
    let is_normalized = ComposingNormalizerBorrowed::new_nfc().is_normalized(text);
    (!is_normalized).then_some(NORMAL_FORM)
}

fn category(char: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(char)
}

/// Whether a character shows nothing by itself, or only changes how others are shown: format characters, such as direction marks, and
/// what may be ignored. The last two are blank symbols, which PHP's framework Laravel trims like white space.
#[must_use]
pub fn is_invisible(char: char) -> bool {
    category(char) == GeneralCategory::Format
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char)
        || matches!(char, '\u{2800}' | '\u{1d159}')
}

/// Whether a joiner may stand beside this character. The scripts that need joiners have no capital letters.
fn is_joined(neighbour: Option<char>) -> bool {
    neighbour.is_some_and(|char| {
        category(char) == GeneralCategory::OtherLetter || GeneralCategoryGroup::Mark.contains(category(char))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn broken(text: &str) -> Option<String> {
        check_unchanged(text).err().map(|InvalidValue(rule)| rule.into_owned())
    }

    #[test]
    fn names_and_ids_of_many_scripts_are_accepted() {
        for text in [
            "",
            "631317234",
            "user 5  x",
            "o'Brien <a@b.c>",
            "пользователь 5",
            "é",
            "हिन्दी",
            "தமிழ்",
            "മലയാളം",
            "বাংলা",
            "日本語",
            "한국어",
            "السلام",
            "😀",
            "क्\u{200d}ष",
            "രാജ്\u{200c}കുമാർ",
            "കല്\u{200d}ക്കത്ത",
            "র\u{200d}্যাব",
            "می\u{200c}خواهم",
        ] {
            assert_eq!(broken(text), None, "{text:?}");
        }
    }

    #[test]
    fn white_space_at_the_ends_is_refused() {
        for space in [" ", "\u{a0}", "\u{3000}", "\u{2003}", "\u{2028}", "\u{202f}", "\u{1680}"] {
            for text in [format!("{space}a"), format!("a{space}"), space.to_owned()] {
                assert_eq!(broken(&text).as_deref(), Some(ENDS), "{text:?}");
            }
        }
    }

    #[test]
    fn white_space_inside_is_the_plain_space() {
        for space in ["\u{a0}", "\u{3000}", "\u{2003}", "\u{2028}", "\u{2029}", "\u{202f}", "\u{205f}"] {
            assert_eq!(broken(&format!("a{space}b")).as_deref(), Some(WHITE_SPACE), "{space:?}");
        }
    }

    #[test]
    fn what_nobody_sees_is_refused_everywhere() {
        for hidden in [
            '\u{ad}',
            '\u{34f}',
            '\u{600}',
            '\u{61c}',
            '\u{115f}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{202e}',
            '\u{2060}',
            '\u{2065}',
            '\u{2069}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe0e}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{fff9}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0020}',
            '\u{e0100}',
        ] {
            for text in [format!("{hidden}a"), format!("a{hidden}"), format!("a{hidden}b"), format!("❤{hidden}")] {
                assert_eq!(broken(&text).as_deref(), Some(INVISIBLE), "{text:?}");
            }
        }
    }

    #[test]
    fn a_joiner_needs_a_letter_on_both_sides() {
        for joiner in ['\u{200c}', '\u{200d}'] {
            for text in [
                format!("{joiner}"),
                format!("{joiner}क"),
                format!("क्{joiner}"),
                format!("क्{joiner} ष"),
                format!("क्{joiner}{joiner}ष"),
                format!("a{joiner}b"),
                format!("1{joiner}2"),
                format!("👩{joiner}💻"),
            ] {
                assert_eq!(broken(&text).as_deref(), Some(JOINER), "{text:?}");
            }
        }
    }

    #[test]
    fn what_is_not_normalised_or_not_assigned_is_refused() {
        for text in ["e\u{301}", "क\u{958}", "\u{1100}\u{1161}", "\u{212b}", "a\u{323}\u{307}\u{323}"] {
            assert_eq!(broken(text).as_deref(), Some(NORMAL_FORM), "{text:?}");
        }
        for text in ["\u{378}", "a\u{ffff}", "\u{fdd0}b", "\u{10fffe}"] {
            assert_eq!(broken(text).as_deref(), Some(UNASSIGNED), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_text_has_nothing_to_trim_to_remove_or_to_normalise(
            text in "[ a-bé\u{301}\u{323}क-ङ\u{94d}ക-ങ\u{d4d}\u{200b}-\u{200f}\u{a0}\u{fe0f}\u{1100}-\u{1112}\u{1161}😀]{0,6}"
        ) {
            if check_unchanged(&text).is_ok() {
                prop_assert_eq!(text.trim_matches(|char: char| char.is_whitespace() || is_invisible(char)), &text);
                let hidden: String = text.chars().filter(|char| is_invisible(*char)).collect();
                prop_assert_eq!(hidden.trim_matches(['\u{200c}', '\u{200d}']), "");
                let normal = ComposingNormalizerBorrowed::new_nfc().normalize(&text);
                prop_assert_eq!(&*normal, &text);
            }
        }

        #[test]
        fn a_plain_ascii_text_is_accepted_unless_a_space_is_at_an_end(text in "[ -~]{0,40}") {
            prop_assert_eq!(check_unchanged(&text).is_ok(), text.trim() == text);
        }

        #[test]
        fn the_fast_path_decides_like_the_slow_one(text in "[ -~]{0,40}") {
            prop_assert_eq!(broken_rule(&text), None);
        }

        #[test]
        fn a_hidden_character_is_found_wherever_it_is(
            before in "[ -~अ-ह]{0,9}",
            hidden in "[\u{ad}\u{200b}\u{200e}-\u{200f}\u{202a}-\u{202e}\u{2060}-\u{206f}\u{fe00}-\u{fe0f}\u{feff}]",
            after in "[ -~अ-ह]{0,9}",
        ) {
            let text = format!("{before}{hidden}{after}");
            prop_assert!(check_unchanged(&text).is_err());
        }
    }
}
