//! What a function's role must allow.

/// What a secret is for. Each has its own, so that who can read one of them cannot do what the others allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Deposit calls to the provider.
    Deposits,
    /// Withdrawals that are sent to the provider.
    Withdrawals,
    /// Postbacks and their evidence.
    Postbacks,
    /// The merchant's tokens.
    Tokens,
    /// The signature of posted events.
    Events,
}

/// One thing that a function does in AWS. Its role allows these and nothing else; `template.yaml` is checked against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Read rows whose key begins with this kind.
    ReadRows(&'static str),
    /// Read many rows at a time whose keys begin with this kind.
    ReadManyRows(&'static str),
    /// Put rows whose key begins with this kind.
    PutRows(&'static str),
    /// Update rows whose key begins with this kind without reading them.
    UpdateRows(&'static str),
    /// Query the index `attention`.
    FindAttention,
    /// Send messages to the submission queue.
    SendMessages,
    /// Be given the messages of the submission queue, and put them off.
    TakeMessages,
    /// Be given the changes of the table's stream.
    TakeChanges,
    /// Send changes to the queue of those that were set aside, and be given its messages.
    SetChangesAside,
    /// Send messages to the queue of events for the merchant's server.
    SendEvents,
    /// Be given the messages of the queue of events for the merchant's server, and put them off.
    TakeEvents,
    /// Send events to the queue of those that were not delivered, take one from it, and move all of them back.
    MoveEvents,
    /// Put events on the bus.
    PublishEvents,
    /// Read the secret of this purpose.
    ReadSecret(Purpose),
}
