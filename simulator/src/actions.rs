//! What the world does to the provider: a user's payment arrives, a withdrawal ends.

use std::time::Duration;

use paykassma::WrittenAmount;

use crate::deposits::{Claim, Payment};
use crate::postback::Postback;
use crate::postback_sender::{PostbackSender, StartedPostback};

/// Registers a payment that has arrived. If its order is known, the postback is sent.
///
/// # Errors
/// The number was registered before.
pub(crate) fn arrive(
    sender: &PostbackSender,
    payment: Payment,
    claim: Option<Claim>,
) -> Result<Option<StartedPostback>, &'static str> {
    let credit = sender.provider.edit().deposits.register(payment, claim)?;
    Ok(credit.and_then(|credit| sender.start(&Postback::of_credit(&credit))))
}

/// Registers a payment after the time for late ones.
pub(crate) fn arrive_late(sender: &PostbackSender, payment: Payment) {
    let arriving = sender.clone();
    sender.provider.spawn(async move {
        tokio::time::sleep(arriving.provider.settings().late()).await;
        // The number may have been registered meanwhile.
        let _ = arrive(&arriving, payment, None);
    });
}

/// The withdrawal was never accepted.
pub(crate) struct NeverAccepted;

/// Ends a withdrawal and sends the postback.
///
/// # Errors
/// It was never accepted.
pub(crate) fn end(
    sender: &PostbackSender,
    withdrawal_id: &str,
    status: i64,
    amount: Option<WrittenAmount>,
) -> Result<Option<StartedPostback>, NeverAccepted> {
    let end = sender.provider.edit().withdrawals.end(withdrawal_id, status, amount);
    let end = end.ok_or(NeverAccepted)?;
    Ok(sender.start(&Postback::of_withdrawal(&end)))
}

/// Ends a withdrawal with one status after the other, with a pause before each.
pub(crate) fn end_later(sender: &PostbackSender, withdrawal_id: &str, statuses: &'static [i64], pause: Duration) {
    let (sender, id) = (sender.clone(), withdrawal_id.to_owned());
    sender.provider.clone().spawn(async move {
        for status in statuses {
            tokio::time::sleep(pause).await;
            // It was accepted, or nobody would end it.
            let _ = end(&sender, &id, *status, None);
        }
    });
}
