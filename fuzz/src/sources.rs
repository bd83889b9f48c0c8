//! The part of `sources` that needs neither an object store nor Kubernetes.

#[path = "decode.rs"]
pub mod decode;

/// What the API server sends, without the client that it is sent to.
#[path = "../../src/sources/kubernetes"]
pub mod kubernetes {
    mod content;
    #[allow(dead_code, unused_imports, reason = "only the daemon looks for what no cluster names")]
    mod resolve;
    #[expect(dead_code, reason = "pods are only asked, for their metrics")]
    mod resources;
    #[path = "../../../fuzz/src/watched.rs"]
    pub mod watched;

    pub mod instance_metrics {
        mod text;

        use crate::observation::cluster::WalArchiving;

        pub fn read(text: &str) -> WalArchiving {
            text::parse("pg-1", text)
        }
    }
}

#[path = "../../src/sources/limits.rs"]
pub mod limits;
#[path = "store.rs"]
pub mod store;
