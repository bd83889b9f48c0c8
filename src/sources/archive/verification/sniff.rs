//! What an object is by its first bytes, whatever it is called.

use crate::domain::codec::Codec;
use crate::sources::archive::Collector;
use crate::sources::store::error::StoreError;

/// Of an object that its name does not explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    Compressed(Codec),
    /// By the client, with this.
    Encrypted(&'static str),
}

impl Collector {
    pub(super) async fn sniff(&self, key: &str) -> Result<Option<Sniffed>, StoreError> {
        let mut body = self.store.open(key, 0, None).await?;
        let beginning = body.next().await?.unwrap_or_default();
        Ok(sniff(&beginning))
    }
}

fn sniff(beginning: &[u8]) -> Option<Sniffed> {
    use Sniffed::Compressed;
    use Sniffed::Encrypted;
    const MAGICS: [(&[u8], Sniffed); 9] = [
        (b"\x1f\x8b\x08", Compressed(Codec::Gzip)),
        (b"BZh", Compressed(Codec::Bzip2)),
        (b"\xfd7zXZ\0", Compressed(Codec::Xz)),
        (b"\xff\x06\0\0sNaPpY", Compressed(Codec::Snappy)),
        (b"\x28\xb5\x2f\xfd", Compressed(Codec::Zstd)),
        (b"\x04\x22\x4d\x18", Compressed(Codec::Lz4)),
        (b"Salted__", Encrypted("OpenSSL")),
        (b"age-encryption.org/", Encrypted("age")),
        // A session key for a public key, of the length that most have (RFC 9580).
        (b"\x85\x02", Encrypted("OpenPGP")),
    ];
    let found = MAGICS.iter().find(|(magic, _)| beginning.starts_with(magic));
    found.map(|(_, sniffed)| *sniffed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_compression_and_encryption() {
        assert_eq!(sniff(b"BZh91AY&SY"), Some(Sniffed::Compressed(Codec::Bzip2)));
        assert_eq!(sniff(b"\x1f\x8b\x08\0rest"), Some(Sniffed::Compressed(Codec::Gzip)));
        assert_eq!(sniff(b"Salted__12345678"), Some(Sniffed::Encrypted("OpenSSL")));
        assert_eq!(sniff(b"age-encryption.org/v1\n"), Some(Sniffed::Encrypted("age")));
        assert_eq!(sniff(b"\x10\xd1\x07\0"), None);
        assert_eq!(sniff(b""), None);
    }
}
