//! Vectors that `php_vectors.php` made with PHP's own `json_encode`.

use signing::Spelling;

use crate::sample::{body, sign, verify};

const VECTORS: &str = include_str!("../php_vectors.tsv");

#[test]
fn what_php_signs_verifies_however_php_spells_it_on_the_wire() {
    let mut seen = 0;
    for line in VECTORS.lines() {
        let mut parts = line.splitn(3, '\t');
        let (Some(hashed), Some(signature), Some(wire)) = (parts.next(), parts.next(), parts.next()) else {
            panic!("not a vector: {line}");
        };
        let spelling = match hashed {
            "f" => Spelling::Flagged,
            "d" => Spelling::Default,
            other => panic!("not a spelling: {other}"),
        };
        let wire = wire.replace('\t', "\n");
        assert_eq!(sign(&wire, spelling), signature, "{line}");
        assert!(verify(body(&wire, signature).as_bytes()).is_ok(), "{line}");
        seen += 1;
    }
    assert!(seen >= 10_000);
}
