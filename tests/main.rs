//! Flows through the whole, and checks of the whole.
