//! The real servers that tests, benches and the demo run against, on loopback.
//!
//! Each is started by the test that needs it and ends with it. A helper that cannot do its work
//! panics and says why: a test that passes by leaving something out proves nothing.

pub mod alertmanager;
pub mod barman;
pub mod chromium;
mod double;
pub mod http;
pub mod kubernetes;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod rclone;
pub mod s3;
pub mod tls;
pub mod tools;
pub mod webhook;
