//! An amount as the export spells it.

use domain::{Amount, InvalidValue};

use super::config::Config;

/// Reads an amount, behind a minus if it is negative.
pub(super) fn amount(config: &Config, text: &str, is_negative: bool) -> Result<Amount, InvalidValue> {
    let text = if is_negative {
        let rule = "must be negative, as `negative_withdrawals` says of a withdrawal's amount";
        text.strip_prefix(['-', '\u{2212}']).ok_or(InvalidValue(rule.into()))?
    } else {
        text
    };
    let (whole, fraction) = match text.split_once(config.decimal_separator) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let whole = match config.thousands_separator.filter(|separator| whole.contains(*separator)) {
        Some(separator) => ungrouped(whole, separator)?,
        None => whole.to_owned(),
    };
    Amount::parse(&fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}")))
}

/// Takes thousands apart, and not what is a decimal separator in truth: `700,50` has none.
fn ungrouped(whole: &str, separator: char) -> Result<String, InvalidValue> {
    let groups: Vec<_> = whole.split(separator).collect();
    let last = groups.len().saturating_sub(1);
    let is_well = groups.iter().enumerate().all(|(place, group)| match place {
        0 => (1..=3).contains(&group.len()),
        _ if place == last => group.len() == 3,
        _ => (2..=3).contains(&group.len()),
    });
    is_well
        .then(|| groups.concat())
        .ok_or(InvalidValue("must have its thousands separated by two or three digits".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_signs_are_the_configured_ones() {
        let mut config = Config::parse(include_str!("../../samples/export.toml")).unwrap();
        (config.decimal_separator, config.thousands_separator) = (',', Some('.'));
        let exactly = |text, is_negative| amount(&config, text, is_negative).map(|it| it.to_string());
        assert_eq!(exactly("1.234.567,89", false), Ok("1234567.89".into()));
        assert_eq!(exactly("1234567,89", false), Ok("1234567.89".into()));
        assert_eq!(exactly("-1.234,5", true), Ok("1234.5".into()));
        assert_eq!(exactly("\u{2212}5", true), Ok("5".into()));
        for bad in ["1.5", "12.34.56", "1,234.567", ".500", "1..000", "", "-5", "-1.234,5"] {
            assert!(exactly(bad, false).is_err(), "{bad}");
        }
        for bad in ["5", "--5", "- 5", "-", "-0", "(5)"] {
            assert!(exactly(bad, true).is_err(), "{bad}");
        }
    }
}
