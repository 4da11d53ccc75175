//! The ceiling on outgoing money: how much a payment system may send out in an hour and in a day (UTC).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Amount, Day, Hour, Sum, Timestamp, WalletType};

/// How much may be sent out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    /// Any amount.
    None,
    /// So much.
    AtMost(Sum),
}

impl Ceiling {
    /// What may be reserved already when this amount is added: any amount, so much, or `Err`, since the amount alone is too
    /// much.
    fn before(self, amount: Amount) -> Result<Option<Sum>, TooMuch> {
        match self {
            Self::None => Ok(None),
            Self::AtMost(most) => most.minus(amount).map(Some).ok_or(TooMuch),
        }
    }
}

struct TooMuch;

/// The ceilings of all payment systems for one length of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CeilingRule {
    /// The same for every payment system, each by itself.
    Every(Ceiling),
    /// Each payment system's own. One that is not named may send nothing out.
    Named(BTreeMap<WalletType, Ceiling>),
}

impl CeilingRule {
    fn of(&self, payment_system: &WalletType) -> Ceiling {
        match self {
            Self::Every(ceiling) => *ceiling,
            Self::Named(ceilings) => ceilings.get(payment_system).copied().unwrap_or(Ceiling::AtMost(Sum::default())),
        }
    }
}

/// The ceilings of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceilings {
    /// For each hour.
    pub per_hour: CeilingRule,
    /// For each day.
    pub per_day: CeilingRule,
}

/// What must be done before an amount is sent out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserving {
    /// Nothing: there is no ceiling.
    Unlimited,
    /// It may not be sent out: it alone is above the ceiling.
    TooMuch,
    /// It must be reserved.
    Under(Reservation),
}

impl Ceilings {
    /// No ceilings.
    pub const NONE: Self =
        Self { per_hour: CeilingRule::Every(Ceiling::None), per_day: CeilingRule::Every(Ceiling::None) };

    /// What must be done before this amount is sent out. The payment system has one currency, so its amounts can be added.
    ///
    /// ```
    /// # use domain::*;
    /// let most = |text| Amount::parse(text).map(|amount| CeilingRule::Every(Ceiling::AtMost(amount.into())));
    /// let ceilings = Ceilings { per_hour: most("1000")?, per_day: most("1500")? };
    /// let paytm = WalletType::parse("paytm")?;
    /// let reserve = |amount, hour: u64| {
    ///     let Reserving::Under(it) = ceilings.reserving(&paytm, amount, Timestamp(hour * 3_600_000)) else { panic!() };
    ///     it
    /// };
    ///
    /// let first = ReservedSums::reserve(None, &reserve(Amount::parse("1000")?, 0)).unwrap();
    /// // This hour is full, and the next one is not. Then the day has no room for so much.
    /// assert_eq!(ReservedSums::reserve(Some(&first), &reserve(Amount::parse("1")?, 0)), None);
    /// assert!(ReservedSums::reserve(Some(&first), &reserve(Amount::parse("500")?, 1)).is_some());
    /// assert_eq!(ReservedSums::reserve(Some(&first), &reserve(Amount::parse("501")?, 1)), None);
    /// assert_eq!(ceilings.reserving(&paytm, Amount::parse("1000.01")?, Timestamp(0)), Reserving::TooMuch);
    /// # Ok::<(), InvalidValue>(())
    /// ```
    #[must_use]
    pub fn reserving(&self, payment_system: &WalletType, amount: Amount, now: Timestamp) -> Reserving {
        let (per_hour, per_day) = (self.per_hour.of(payment_system), self.per_day.of(payment_system));
        if (per_hour, per_day) == (Ceiling::None, Ceiling::None) {
            return Reserving::Unlimited;
        }
        let (Ok(hour_before), Ok(day_before)) = (per_hour.before(amount), per_day.before(amount)) else {
            return Reserving::TooMuch;
        };
        let id = ReservedSumsId { payment_system: payment_system.clone(), day: Day::of(now) };
        Reserving::Under(Reservation { id, hour: Hour::of(now), amount, hour_before, day_before })
    }
}

/// An amount that is to be sent out in an hour of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The row that has the sums.
    pub id: ReservedSumsId,
    /// The hour.
    pub hour: Hour,
    /// How much.
    pub amount: Amount,
    /// The most that may be reserved in the hour already; `None`: any amount.
    pub hour_before: Option<Sum>,
    /// The most that may be reserved in the day already; `None`: any amount.
    pub day_before: Option<Sum>,
}

/// Names the sums of a payment system in a day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReservedSumsId {
    /// The payment system.
    pub payment_system: WalletType,
    /// The day.
    pub day: Day,
}

/// How much of a payment system's money was reserved to be sent out in a day, and in each hour of it. A withdrawal that is
/// rejected or fails later still counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservedSums {
    /// The payment system.
    pub payment_system: WalletType,
    /// The day.
    pub day: Day,
    /// The sum of the whole day.
    pub reserved: Sum,
    /// The sum of each hour in which something was reserved: the attributes `hour_00` to `hour_23`.
    #[serde(flatten, serialize_with = "write_hours", deserialize_with = "read_hours")]
    pub hours: BTreeMap<Hour, Sum>,
}

impl ReservedSums {
    /// The attribute that has the sum of the day.
    pub const RESERVED: &str = "reserved";

    /// Whether this attribute of the row is a sum.
    #[must_use]
    pub fn is_sum(attribute: &str) -> bool {
        attribute == Self::RESERVED || Hour::of_attribute(attribute).is_some()
    }

    /// The row's own name.
    #[must_use]
    pub fn id(&self) -> ReservedSumsId {
        ReservedSumsId { payment_system: self.payment_system.clone(), day: self.day }
    }

    /// The sums with one more amount; `None` when a ceiling does not allow it. This is the rule that a store applies in one
    /// conditional write.
    #[must_use]
    pub fn reserve(current: Option<&Self>, reservation: &Reservation) -> Option<Self> {
        let Reservation { id, hour, amount, hour_before, day_before } = reservation;
        let mut sums = current.cloned().unwrap_or_else(|| Self {
            payment_system: id.payment_system.clone(),
            day: id.day,
            reserved: Sum::default(),
            hours: BTreeMap::new(),
        });
        let fits = |before: &Option<Sum>, reserved: Sum| before.is_none_or(|most| reserved <= most);
        let of_hour = sums.hours.entry(*hour).or_default();
        if !fits(hour_before, *of_hour) || !fits(day_before, sums.reserved) {
            return None;
        }
        *of_hour = of_hour.plus(*amount);
        sums.reserved = sums.reserved.plus(*amount);
        Some(sums)
    }

    /// The sums without an amount that was reserved and not sent out; `None` when they do not contain it. This is the rule
    /// that a store applies in one conditional write.
    #[must_use]
    pub fn give_back(&self, Reservation { hour, amount, .. }: &Reservation) -> Option<Self> {
        let mut sums = self.clone();
        sums.reserved = sums.reserved.minus(*amount)?;
        let of_hour = sums.hours.get_mut(hour)?;
        *of_hour = of_hour.minus(*amount)?;
        Some(sums)
    }
}

fn write_hours<S: Serializer>(hours: &BTreeMap<Hour, Sum>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(hours.iter().map(|(hour, sum)| (hour.attribute(), sum)))
}

fn read_hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Hour, Sum>, D::Error> {
    struct Hours;

    impl<'de> Visitor<'de> for Hours {
        type Value = BTreeMap<Hour, Sum>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the sums of hours")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut hours = BTreeMap::new();
            while let Some(name) = map.next_key::<String>()? {
                if let Some(hour) = Hour::of_attribute(&name) {
                    hours.insert(hour, map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(hours)
        }
    }

    deserializer.deserialize_map(Hours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR_MS: u64 = 3_600_000;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn at_most(text: &str) -> Ceiling {
        Ceiling::AtMost(amount(text).into())
    }

    fn wallet(text: &str) -> WalletType {
        WalletType::parse(text).unwrap()
    }

    fn ceilings(per_hour: Ceiling, per_day: Ceiling) -> Ceilings {
        Ceilings { per_hour: CeilingRule::Every(per_hour), per_day: CeilingRule::Every(per_day) }
    }

    fn reservation(ceilings: &Ceilings, text: &str, at_ms: u64) -> Reservation {
        let reserving = ceilings.reserving(&wallet("paytm"), amount(text), Timestamp(at_ms));
        let Reserving::Under(reservation) = reserving else { panic!("{reserving:?}") };
        reservation
    }

    #[test]
    fn a_ceiling_is_reached_to_the_last_decimal_and_not_passed() {
        let of_hour = ceilings(at_most("1000.10"), Ceiling::None);
        let of_day = ceilings(Ceiling::None, at_most("1000.10"));
        for ceilings in [&of_hour, &of_day] {
            let reserve = |current: Option<&ReservedSums>, text| {
                ReservedSums::reserve(current, &reservation(ceilings, text, 5 * HOUR_MS))
            };
            let almost = reserve(None, "1000.09").unwrap();
            assert_eq!(reserve(Some(&almost), "0.02"), None);
            let full = reserve(Some(&almost), "0.01").unwrap();
            assert_eq!((full.reserved.to_string(), full.hours.len()), ("1000.10".into(), 1));
            assert_eq!(reserve(Some(&full), "0.00000001"), None);
            assert_eq!(reserve(None, "1000.100").unwrap().reserved, full.reserved);
            let above = ceilings.reserving(&wallet("paytm"), amount("1000.10000001"), Timestamp(0));
            assert_eq!(above, Reserving::TooMuch);
        }
    }

    #[test]
    fn the_next_hour_and_the_next_day_begin_at_zero() {
        let ceilings = ceilings(at_most("10"), at_most("25"));
        let mut sums = None;
        let mut reserve = |text, at_ms| {
            let more = ReservedSums::reserve(sums.as_ref(), &reservation(&ceilings, text, at_ms));
            sums = more.clone().or(sums.take());
            more.is_some()
        };
        assert!(reserve("10", HOUR_MS - 1) && !reserve("1", HOUR_MS - 1));
        assert!(reserve("10", HOUR_MS) && !reserve("1", HOUR_MS));
        assert!(!reserve("6", 2 * HOUR_MS) && reserve("5", 2 * HOUR_MS) && !reserve("1", 23 * HOUR_MS));
        let [last, next] = [24 * HOUR_MS - 1, 24 * HOUR_MS].map(|at_ms| reservation(&ceilings, "10", at_ms).id);
        assert_eq!((last.day.to_string(), next.day.to_string()), ("1970-01-01".into(), "1970-01-02".into()));
    }

    #[test]
    fn none_reserves_nothing_and_a_system_that_is_not_named_sends_nothing_out() {
        let named = |name: &str, ceiling| CeilingRule::Named([(wallet(name), ceiling)].into());
        let reserving = |ceilings: &Ceilings, name: &str| ceilings.reserving(&wallet(name), amount("1"), Timestamp(0));
        assert_eq!(reserving(&Ceilings::NONE, "paytm"), Reserving::Unlimited);
        let by_name = Ceilings { per_hour: named("paytm", Ceiling::None), per_day: named("paytm", at_most("5")) };
        assert!(matches!(reserving(&by_name, "paytm"), Reserving::Under(_)));
        assert_eq!(reserving(&by_name, "bkash"), Reserving::TooMuch);
        let unlimited = Ceilings { per_hour: named("paytm", Ceiling::None), ..Ceilings::NONE };
        assert_eq!(reserving(&unlimited, "paytm"), Reserving::Unlimited);
        assert_eq!(reserving(&unlimited, "bkash"), Reserving::TooMuch);
    }

    #[test]
    fn only_what_is_reserved_is_given_back() {
        let ceilings = ceilings(at_most("10"), at_most("25"));
        let ten = reservation(&ceilings, "10", 0);
        let sums = ReservedSums::reserve(None, &ten).unwrap();
        let none = sums.give_back(&ten).unwrap();
        assert_eq!((none.reserved, none.hours[&ten.hour]), (Sum::default(), Sum::default()));
        assert_eq!(none.give_back(&ten), None);
        assert_eq!(sums.give_back(&reservation(&ceilings, "1", HOUR_MS)), None, "not of another hour");
        assert_eq!(ReservedSums::reserve(Some(&none), &ten), Some(sums));
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let ceilings = ceilings(at_most("1000"), Ceiling::None);
        let first = ReservedSums::reserve(None, &reservation(&ceilings, "700.50", 7 * HOUR_MS)).unwrap();
        let sums = ReservedSums::reserve(Some(&first), &reservation(&ceilings, "1", 23 * HOUR_MS)).unwrap();
        let text = serde_json::to_string(&sums).unwrap();
        let expected =
            r#"{"payment_system":"paytm","day":"1970-01-01","reserved":"701.50","hour_07":"700.50","hour_23":"1"}"#;
        assert_eq!(text, expected);
        let others = text.replace('{', r#"{"transaction_id":"x","version":3,"#);
        assert_eq!(serde_json::from_str::<ReservedSums>(&others).unwrap(), sums);
        for name in ["reserved", "hour_07"] {
            assert!(ReservedSums::is_sum(name));
        }
        for name in ["version", "day", "hour_24"] {
            assert!(!ReservedSums::is_sum(name));
        }
    }

    proptest! {
        #[test]
        fn no_sum_is_ever_above_its_ceiling(
            amounts in proptest::collection::vec(("[1-9][0-9]{0,3}(\\.[0-9]{1,8})?", 0..4_u64), 1..40),
            per_hour in "[1-9][0-9]{0,4}(\\.[0-9]{1,8})?",
            per_day in "[1-9][0-9]{0,4}(\\.[0-9]{1,8})?",
        ) {
            let ceilings = ceilings(at_most(&per_hour), at_most(&per_day));
            let (mut sums, mut accepted): (Option<ReservedSums>, Vec<(u64, Amount)>) = (None, Vec::new());
            for (text, hour) in amounts {
                let reserving = ceilings.reserving(&wallet("paytm"), amount(&text), Timestamp(hour.saturating_mul(HOUR_MS)));
                let Reserving::Under(reservation) = reserving else { continue };
                if let Some(more) = ReservedSums::reserve(sums.as_ref(), &reservation) {
                    sums = Some(more);
                    accepted.push((hour, amount(&text)));
                }
            }
            let sum_of = |of: Option<u64>| {
                let these = accepted.iter().filter(|(hour, _)| of.is_none_or(|of| of == *hour));
                these.map(|(_, amount)| *amount).collect::<Sum>()
            };
            prop_assert!(sum_of(None) <= amount(&per_day).into());
            for hour in 0..4 {
                prop_assert!(sum_of(Some(hour)) <= amount(&per_hour).into());
            }
            prop_assert_eq!(sums.map(|it| it.reserved).unwrap_or_default(), sum_of(None));
        }
    }
}
