//! Which server a store is asked at, and addresses that no store has.

use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;
use std::fmt;

use url::Host;
use url::Url;

use crate::domain::archive_id::StoreAddress;
use crate::domain::destination::ENDPOINT_URL;
use crate::domain::format::Flaw;
use crate::domain::format::Format;

/// Scheme, host and port of a server. The path of its address is no part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    is_encrypted: bool,
    host: Host<String>,
    port: u16,
}

/// As an entry of `object_stores.allowed`.
pub const ALLOWED_ENDPOINT: Format<Endpoint> = Format {
    expected: "an http or https address without a path, such as https://s3.example.com, and none \
               that is link-local",
    parse: |text| {
        let url = (ENDPOINT_URL.parse)(text)?;
        let has_path = Url::parse(&url).is_ok_and(|url| url.path() != "/");
        let endpoint = Endpoint::parse(&url).filter(|it| !has_path && !it.is_refused());
        endpoint.ok_or(Flaw::Mismatch)
    },
};

/// The name of all of AWS, which has a host for each region.
const AWS: &str = "s3.amazonaws.com";

impl Endpoint {
    /// `None` for a directory.
    pub fn of(store: &StoreAddress) -> Option<Self> {
        match store {
            StoreAddress::Directory(_) => None,
            StoreAddress::S3 { endpoint_url: Some(url), .. } => Self::parse(url),
            StoreAddress::S3 { endpoint_url: None, .. } => {
                Some(Self { is_encrypted: true, host: Host::Domain(AWS.to_owned()), port: 443 })
            }
        }
    }

    /// An address in whatever form it is written, such as with a number for a host.
    fn parse(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let host = match url.host()?.to_owned() {
            Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
            Host::Ipv4(address) => Host::Ipv4(address),
            Host::Ipv6(address) => match address.to_ipv4_mapped() {
                Some(address) => Host::Ipv4(address),
                None => Host::Ipv6(address),
            },
        };
        let port = url.port_or_known_default()?;
        Some(Self { is_encrypted: url.scheme() == "https", host, port })
    }

    pub const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whether what is sent there stays in the cluster or the private network, by how it is written.
    pub fn is_nearby(&self) -> bool {
        match &self.host {
            Host::Domain(name) => {
                let is_below = |domain: &str| name.ends_with(domain);
                !name.contains('.') || CLUSTER_DOMAINS.into_iter().any(is_below)
            }
            Host::Ipv4(address) => is_private(*address),
            Host::Ipv6(address) => address.is_loopback() || address.is_unique_local(),
        }
    }

    /// Whether it is written as an address that no store has.
    pub fn is_refused(&self) -> bool {
        match &self.host {
            Host::Domain(_) => false,
            Host::Ipv4(address) => is_refused(IpAddr::V4(*address)),
            Host::Ipv6(address) => is_refused(IpAddr::V6(*address)),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.is_encrypted { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Names of Services, as pods write them (Kubernetes, "DNS for Services and Pods").
const CLUSTER_DOMAINS: [&str; 3] = [".svc", ".svc.cluster.local", ".localhost"];

const fn is_private(address: Ipv4Addr) -> bool {
    address.is_private() || address.is_loopback()
}

/// Whether this is an address of a single link, or one where a cloud tells a machine its secrets.
///
/// Such an address is never a store's. Whoever may name an endpoint would have the daemon ask there.
pub fn is_refused(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_refused_v4(address),
        IpAddr::V6(address) => {
            address.is_unicast_link_local()
                || METADATA_V6.contains(&address)
                || embedded_v4(address).is_some_and(is_refused_v4)
        }
    }
}

fn is_refused_v4(address: Ipv4Addr) -> bool {
    address.is_link_local() || METADATA_V4.contains(&address)
}

/// Beside 169.254.169.254, which is link-local: Alibaba Cloud's metadata and Azure's `WireServer`.
const METADATA_V4: [Ipv4Addr; 2] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];

/// Metadata of EC2 and of Google Compute Engine.
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// The address that is reached through this one: mapped (RFC 4291), translated (RFC 6052) or
/// tunnelled (RFC 3056).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(v4(high, low))
        }
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint::parse(url).unwrap()
    }

    #[test]
    fn an_endpoint_is_the_same_in_whatever_form_it_is_written() {
        let store = endpoint("https://s3.example.com");
        for same in ["https://S3.EXAMPLE.com:443/", "https://s3.example.com./a/b"] {
            assert_eq!(endpoint(same), store, "{same}");
        }
        for other in ["http://s3.example.com", "https://s3.example.com:8443", "https://example.com"]
        {
            assert_ne!(endpoint(other), store, "{other}");
        }
        assert_eq!(store.to_string(), "https://s3.example.com");
        assert_eq!(endpoint("http://[::ffff:10.0.0.1]:9000").to_string(), "http://10.0.0.1:9000");
        assert_eq!(endpoint("http://[FD00::1]/").to_string(), "http://[fd00::1]");
    }

    #[test]
    fn a_store_without_an_endpoint_is_aws_in_any_region() {
        let store = |region: &str| {
            let region = region.to_owned();
            StoreAddress::S3 { bucket: "a".to_owned(), endpoint_url: None, region }
        };
        for region in ["auto", "eu-central-1"] {
            assert_eq!(Endpoint::of(&store(region)), Some(endpoint("https://s3.amazonaws.com")));
        }
        assert_eq!(Endpoint::of(&StoreAddress::Directory("/a".to_owned())), None);
    }

    #[test]
    fn what_is_sent_to_a_private_address_or_a_service_stays_nearby() {
        for near in [
            "http://minio",
            "http://minio.storage.svc:9000",
            "http://minio.storage.svc.cluster.local.",
            "http://localhost:9000",
            "http://127.0.0.1",
            "http://10.1.2.3",
            "http://172.16.0.1",
            "http://192.168.1.1",
            "http://[::1]",
            "http://[fd00::1]",
            "http://[::ffff:10.0.0.1]",
        ] {
            assert!(endpoint(near).is_nearby(), "{near}");
        }
        for far in [
            "http://s3.example.com",
            "http://svc.example.com",
            "http://examplesvc.com",
            "http://172.32.0.1",
            "http://8.8.8.8",
            "http://[2001:db8::1]",
        ] {
            assert!(!endpoint(far).is_nearby(), "{far}");
        }
    }

    #[test]
    fn link_local_and_metadata_addresses_are_refused_in_any_form() {
        for refused in [
            "http://169.254.169.254/latest",
            "http://0xA9FEA9FE",
            "http://0xa9.0xfe.0xa9.0xfe",
            "http://2852039166",
            "http://0251.0376.0251.0376",
            "http://169.254.43518",
            "http://\u{ff11}69.254.169.254",
            "http://169.254.170.23",
            "http://100.100.100.200",
            "http://168.63.129.16",
            "http://[fe80::1]",
            "http://[febf::1]",
            "http://[fd00:ec2::254]",
            "http://[fd20:ce::254]",
            "http://[::ffff:169.254.169.254]",
            "http://[::ffff:a9fe:a9fe]",
            "http://[::169.254.169.254]",
            "http://[64:ff9b::169.254.169.254]",
            "http://[2002:a9fe:a9fe::1]",
        ] {
            assert!(endpoint(refused).is_refused(), "{refused}");
        }
        for store in [
            "http://10.0.0.1",
            "http://127.0.0.1",
            "http://169.253.0.1",
            "http://100.100.100.201",
            "http://[fd00:ec2::253]",
            "http://[64:ff9b::10.0.0.1]",
            "http://[fec0::1]",
            "http://metadata.google.internal",
        ] {
            assert!(!endpoint(store).is_refused(), "{store}");
        }
    }

    #[test]
    fn an_allowed_endpoint_is_a_server_and_not_a_path() {
        let reads = |text: &str| (ALLOWED_ENDPOINT.parse)(text).ok();
        assert_eq!(reads("https://s3.example.com/"), Some(endpoint("https://s3.example.com")));
        assert_eq!(reads("http://minio:9000"), Some(endpoint("http://minio:9000")));
        for wrong in [
            "",
            "s3.example.com",
            "https://s3.example.com/bucket",
            "https://user@s3.example.com",
            "ftp://s3.example.com",
            "http://169.254.169.254",
        ] {
            assert_eq!(reads(wrong), None, "{wrong:?}");
        }
    }
}
