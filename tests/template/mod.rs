//! What the deployment template promises, without AWS: it and the code say the same.

mod deployment;
pub(crate) mod document;
mod events;
mod protection;
pub(crate) mod rights;
mod routes;
pub(crate) mod settings;
mod watching;
