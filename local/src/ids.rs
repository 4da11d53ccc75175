//! Ids for examples, new in every run, so that rows of another run do not matter.

/// What an example needs names for.
pub(crate) struct Ids {
    /// A merchant's order.
    pub(crate) order: String,
    /// A merchant's withdrawal.
    pub(crate) withdrawal: String,
    /// A payment's number: 11 digits.
    pub(crate) number: String,
}

impl Ids {
    pub(crate) fn random() -> Ids {
        let id = format!("{:08x}", fastrand::u32(..));
        Ids {
            order: format!("order-{id}"),
            withdrawal: format!("withdrawal-{id}"),
            number: format!("3{:010}", fastrand::u64(..10_000_000_000)),
        }
    }
}
