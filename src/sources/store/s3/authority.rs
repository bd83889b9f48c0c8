//! Who signs the certificate of a store, where its `ObjectStore` says so.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Certificates as PEM, each of which can be trusted as an authority.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Authority(Arc<[u8]>);

/// Why a text names no authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    #[error("it holds no certificate in PEM format")]
    Empty,
    #[error("it holds a certificate that cannot be read")]
    Malformed,
}

impl Authority {
    pub fn parse(pem: &[u8]) -> Result<Self, AuthorityError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| AuthorityError::Malformed)?;
            roots.add(certificate).map_err(|_| AuthorityError::Malformed)?;
        }
        if roots.is_empty() { Err(AuthorityError::Empty) } else { Ok(Self(pem.into())) }
    }

    pub(super) fn pem(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_name_an_authority() {
        let of = |pem: &str| Authority::parse(pem.as_bytes()).unwrap_err();
        let block = |text: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        };
        assert_eq!(of(""), AuthorityError::Empty);
        assert_eq!(of("not a certificate"), AuthorityError::Empty);
        assert_eq!(of(&block("AAAA")), AuthorityError::Malformed);
        assert_eq!(of(&block("\u{e9}")), AuthorityError::Malformed);
    }
}
