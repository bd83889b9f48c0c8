//! What restore drills left: a `ConfigMap` each, with one document in it.

use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error;

use crate::domain::drill::DrillReport;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::specs::Ignored;

#[derive(Clone, Debug)]
pub(crate) enum DrillResult {}

impl Kind for DrillResult {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "ConfigMap";
    const PLURAL: &'static str = "configmaps";
    const KEPT: &'static [&'static str] = &[];
    /// It is called `data` there.
    type Spec = DrillData;
    type Status = Ignored;
    type Kept = Kept<Self>;
}

/// `None` only where nothing was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct DrillData(pub(crate) Option<Arc<DrillReport>>);

impl<'de> Deserialize<'de> for DrillData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Data {
            /// `domain::drill_document::REPORT_KEY`.
            #[serde(rename = "report.json")]
            report: String,
        }
        let Data { report } = Data::deserialize(deserializer)?;
        let report = DrillReport::read(&report)
            .map_err(|why| D::Error::custom(format_args!("report.json: {why}")))?;
        Ok(Self(Some(Arc::new(report))))
    }
}
