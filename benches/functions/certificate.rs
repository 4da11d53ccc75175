//! TLS without a word of it in what ships: a copy of the binary is made in which the benchmark's own certificate stands
//! where one of the roots did. All roots are still read, all signatures still checked, and there is no setting to abuse.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// The roots that the AWS clients have, as they stand in the binary.
const AMAZON_ROOTS: &str = include_str!("../../shared/lambda/src/amazon_roots.pem");
const END: &str = "-----END CERTIFICATE-----\n";

/// Bytes of the root that gives its place in the provider's client: longer than a bare certificate of ours, so that ours
/// can be filled up to it, and short enough for the first place among Amazon's.
const PLACE: std::ops::Range<usize> = 600..800;

/// A certificate authority for `localhost`, as long as the root whose place it takes.
pub(crate) struct Authority {
    pub(crate) pem: String,
    der: Vec<u8>,
    replaced: &'static [u8],
    pub(crate) server: Arc<ServerConfig>,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let replaced = TLS_SERVER_ROOT_CERTS.iter().map(AsRef::as_ref).find(|root: &&[u8]| PLACE.contains(&root.len()));
        let replaced: &'static [u8] = replaced.ok_or("no root has the length that is needed")?;
        let issuer = issuer(replaced.len())?;
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &issuer)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key.into())?;
        Ok(Self { pem: issuer.pem(), der: issuer.der().to_vec(), replaced, server: Arc::new(server) })
    }

    /// Writes a copy of the program that trusts this authority in place of one root.
    pub(crate) fn swap_into(&self, program: &Path, copy: &Path) -> Result<(), Box<dyn Error>> {
        let mut binary = fs::read(program).map_err(|error| format!("{}: {error}", program.display()))?;
        let first = AMAZON_ROOTS.find(END).ok_or("amazon_roots.pem has no certificate")?.saturating_add(END.len());
        let (first, _) = AMAZON_ROOTS.split_at(first);
        let filled = format!("{:\n<width$}", self.pem.replace("\r\n", "\n"), width = first.len());
        if !replace(&mut binary, first.as_bytes(), filled.as_bytes()) {
            return Err(format!("{} has none of Amazon's roots", program.display()).into());
        }
        // only the functions that call the provider have its client's roots
        let _ = replace(&mut binary, self.replaced, &self.der);
        fs::write(copy, binary)?;
        Ok(fs::set_permissions(copy, fs::Permissions::from_mode(0o755))?)
    }
}

/// Filled up by its name, which it has twice: as subject and as issuer. Signatures and lengths of lengths differ by some bytes, so several
/// are made until one fits.
fn issuer(length: usize) -> Result<CertifiedIssuer<'static, KeyPair>, Box<dyn Error>> {
    let missing = length.saturating_sub(named("")?.der().len()) / 2;
    for filling in (missing.saturating_sub(12)..=missing).flat_map(|filling| [filling; 64]) {
        let issuer = named(&"x".repeat(filling))?;
        if issuer.der().len() == length {
            return Ok(issuer);
        }
    }
    Err("no certificate has the length of the root whose place it takes".into())
}

fn named(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, Box<dyn Error>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn replace(binary: &mut [u8], old: &[u8], new: &[u8]) -> bool {
    let at = binary.windows(old.len()).position(|window| window == old);
    let Some(place) = at.and_then(|at| binary.get_mut(at..)?.get_mut(..old.len())) else { return false };
    let fits = place.len() == new.len();
    if fits {
        place.copy_from_slice(new);
    }
    fits
}
