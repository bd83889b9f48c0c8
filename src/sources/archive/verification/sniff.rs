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
    const MAGICS: [(&[u8], Sniffed); 10] = [
        (b"\x1f\x8b\x08", Compressed(Codec::Gzip)),
        (b"BZh", Compressed(Codec::Bzip2)),
        (b"\xfd7zXZ\0", Compressed(Codec::Xz)),
        (b"\xff\x06\0\0sNaPpY", Compressed(Codec::Snappy)),
        (b"\x28\xb5\x2f\xfd", Compressed(Codec::Zstd)),
        (b"\x04\x22\x4d\x18", Compressed(Codec::Lz4)),
        (b"Salted__", Encrypted("OpenSSL")),
        (b"age-encryption.org/", Encrypted("age")),
        (b"-----BEGIN AGE ENCRYPTED FILE-----", Encrypted("age")),
        (b"-----BEGIN PGP MESSAGE-----", Encrypted("OpenPGP")),
    ];
    let found = MAGICS.iter().find(|(magic, _)| beginning.starts_with(magic));
    let found = found.map(|(_, sniffed)| *sniffed);
    found.or_else(|| is_openpgp(beginning).then_some(Encrypted("OpenPGP")))
}

/// A message of `OpenPGP` begins with a session key: for a public key, of version 3, or for a passphrase, of
/// version 4 (RFC 9580, 4.2, 5.1 and 5.3). The length between kind and version takes one byte or two.
const fn is_openpgp(beginning: &[u8]) -> bool {
    matches!(
        beginning,
        [0x84, _, 3, ..]
            | [0x85, 1..=4, _, 3, ..]
            | [0x8c, 13 | 46, 4, ..]
            | [0xc1, _, 3, ..]
            | [0xc3, 13, 4, ..]
    )
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
        assert_eq!(sniff(b"-----BEGIN PGP MESSAGE-----\n"), Some(Sniffed::Encrypted("OpenPGP")));
        // For keys of RSA with 2048 and 4096 bits, for Curve25519, and for a passphrase, as GnuPG 2.2 writes them.
        let session_keys: [&[u8]; 4] = [
            b"\x85\x01\x0c\x03\x0a",
            b"\x85\x02\x0c\x03\x0a",
            b"\x84\x5e\x03\x56\xc1",
            b"\x8c\x0d\x04\x09\x03",
        ];
        for beginning in session_keys {
            assert_eq!(sniff(beginning), Some(Sniffed::Encrypted("OpenPGP")), "{beginning:?}");
        }
        assert_eq!(sniff(b"\x10\xd1\x07\0"), None);
        assert_eq!(sniff(b"\x85\x02\x0c"), None);
        assert_eq!(sniff(b""), None);
    }
}
