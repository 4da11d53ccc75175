//! What the deployment template promises, without AWS: it and the code say the same.

mod document;
mod events;
mod protection;
mod rights;
mod routes;
mod settings;
mod watching;
