//! How stores are reached: names are looked up here, so that none leads to where no store is.
//!
//! An address that is written as a number never comes here; `object_stores` of the configuration
//! refuses it. The credential chain has a client of its own, which may ask for instance metadata.

use std::net::IpAddr;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::TlsContext;
use aws_smithy_http_client::tls::TrustStore;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::dns::DnsFuture;
use aws_smithy_runtime_api::client::dns::ResolveDns;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use tokio::net::lookup_host;

use crate::domain::endpoint::is_refused;
use crate::sources::store::s3::authority::Authority;

const TLS: Provider = Provider::Rustls(CryptoMode::AwsLc);

/// A name of a store that leads to addresses which no store has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` leads to {address}, which is link-local or a cloud's metadata service, not a \
         store"
)]
pub(super) struct RefusedAddress {
    name: String,
    address: IpAddr,
}

/// Connects to stores as the SDK does by itself, and looks at what their names lead to.
pub(super) fn http_client() -> SharedHttpClient {
    http_client_by(Resolver)
}

pub(super) fn http_client_by(resolver: impl ResolveDns + Clone + 'static) -> SharedHttpClient {
    Builder::new().tls_provider(TLS).build_with_resolver(resolver)
}

/// Trusts what this authority signed and nothing else, as `AWS_CA_BUNDLE` makes boto3 do.
pub(super) fn http_client_trusting(authority: &Authority) -> SharedHttpClient {
    let trusted = TrustStore::empty().with_pem_certificate(authority.pem());
    match TlsContext::builder().with_trust_store(trusted).build() {
        Ok(context) => {
            Builder::new().tls_provider(TLS).tls_context(context).build_with_resolver(Resolver)
        }
        // There is nothing in it that could be refused; without it, the store is not trusted.
        Err(_) => http_client(),
    }
}

#[derive(Clone, Debug)]
struct Resolver;

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            admitted(name, found.map(|socket| socket.ip())).map_err(ResolveDnsError::new)
        })
    }
}

/// The addresses that are left to connect to.
pub(super) fn admitted(
    name: &str,
    found: impl Iterator<Item = IpAddr>,
) -> Result<Vec<IpAddr>, RefusedAddress> {
    let (refused, admitted) = found.partition::<Vec<_>, _>(|address| is_refused(*address));
    match refused.first() {
        Some(address) if admitted.is_empty() => {
            Err(RefusedAddress { name: name.to_owned(), address: *address })
        }
        _ => Ok(admitted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_name_leads_only_to_addresses_that_a_store_may_have() {
        let check = |found: &[&str], left: &[&str]| {
            let admitted = admitted("a", addresses(found).into_iter());
            assert_eq!(admitted, Ok(addresses(left)), "{found:?}");
        };
        check(&["10.0.0.1", "2001:db8::1"], &["10.0.0.1", "2001:db8::1"]);
        check(&["169.254.169.254", "10.0.0.1", "fe80::1"], &["10.0.0.1"]);
        check(&[], &[]);
        let refused = admitted("a", addresses(&["fd00:ec2::254"]).into_iter());
        let expected = "`a` leads to fd00:ec2::254, which is link-local or a cloud's metadata \
                        service, not a store";
        assert_eq!(refused.unwrap_err().to_string(), expected);
    }

    #[tokio::test]
    async fn a_number_that_the_system_takes_for_an_address_is_looked_at_as_well() {
        let error = Resolver.resolve_dns("0xA9FEA9FE").await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.is::<RefusedAddress>(), "{cause}");
    }
}
