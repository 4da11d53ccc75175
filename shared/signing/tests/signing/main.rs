//! Tests the signatures with the protocol's vectors, PHP's own encoder, properties and the fuzzer's corpus.

#[cfg(test)]
#[path = "../../fuzz/check.rs"]
mod check;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod php;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod vectors;
