//! The program's own families, which a `prometheus::Registry` gathered, in both text formats.
//!
//! The `prometheus` crate writes the older format only.

use std::fmt::Write as _;

use prometheus::proto::Histogram;
use prometheus::proto::LabelPair;
use prometheus::proto::Metric;
use prometheus::proto::MetricFamily;
use prometheus::proto::MetricType;

use crate::publication::metrics::Format;
use crate::publication::metrics::samples::write_integer;
use crate::publication::metrics::samples::write_label;
use crate::publication::metrics::writer::write_header;

/// Writes counters, gauges and histograms; we have no other kinds.
pub(super) fn write(text: &mut String, families: &[MetricFamily], format: Format) {
    for family in families {
        let help = family.help().replace('\\', "\\\\").replace('\n', "\\n");
        let help = match format {
            Format::Text => help,
            Format::OpenMetrics => help.replace('"', "\\\""),
        };
        let name = family.name();
        match family.get_field_type() {
            MetricType::COUNTER => {
                let base = name.strip_suffix("_total").unwrap_or(name);
                let (declared, sample) = match format {
                    Format::Text => (name, name.to_owned()),
                    Format::OpenMetrics => (base, format!("{base}_total")),
                };
                write_header(text, declared, &help, "counter");
                for metric in family.get_metric() {
                    write_sample(text, &sample, metric, metric.get_counter().get_value());
                }
            }
            MetricType::GAUGE => {
                write_header(text, name, &help, "gauge");
                for metric in family.get_metric() {
                    write_sample(text, name, metric, metric.get_gauge().get_value());
                }
            }
            MetricType::HISTOGRAM => {
                write_header(text, name, &help, "histogram");
                for metric in family.get_metric() {
                    write_histogram(text, name, metric, format);
                }
            }
            MetricType::SUMMARY | MetricType::UNTYPED => {}
        }
    }
}

fn write_histogram(text: &mut String, name: &str, metric: &Metric, format: Format) {
    let histogram: &Histogram = metric.get_histogram();
    let labels = metric.get_label();
    let buckets = histogram.get_bucket();
    let mut write_bucket = |bound: f64, count: u64| {
        let mut le = String::new();
        match format {
            Format::Text => write_float(&mut le, bound),
            // A bound is the same for everybody only if `1` is always `1.0`.
            Format::OpenMetrics if bound.is_finite() => {
                write!(le, "{bound:?}").unwrap_or_default();
            }
            Format::OpenMetrics => write_float(&mut le, bound),
        }
        text.push_str(name);
        text.push_str("_bucket");
        write_labels(text, labels, Some(("le", &le)));
        write_integer(text, count);
        text.push('\n');
    };
    for bucket in buckets {
        if bucket.upper_bound().is_finite() {
            write_bucket(bucket.upper_bound(), bucket.cumulative_count());
        }
    }
    write_bucket(f64::INFINITY, histogram.get_sample_count());
    write_sample(text, &format!("{name}_sum"), metric, histogram.get_sample_sum());
    text.push_str(name);
    text.push_str("_count");
    write_labels(text, labels, None);
    write_integer(text, histogram.get_sample_count());
    text.push('\n');
}

fn write_sample(text: &mut String, name: &str, metric: &Metric, value: f64) {
    text.push_str(name);
    write_labels(text, metric.get_label(), None);
    write_float(text, value);
    text.push('\n');
}

/// Writes the labels and the blank after them.
fn write_labels(text: &mut String, labels: &[LabelPair], additional: Option<(&str, &str)>) {
    let mut opening = '{';
    let pairs = labels.iter().map(|label| (label.name(), label.value()));
    for (label, value) in pairs.chain(additional) {
        write_label(text, opening, label, value);
        opening = ',';
    }
    text.push_str(if opening == '{' { " " } else { "} " });
}

fn write_float(text: &mut String, value: f64) {
    if value.is_infinite() {
        text.push_str(if value.is_sign_positive() { "+Inf" } else { "-Inf" });
    } else {
        // `NaN` is written like that in both formats.
        write!(text, "{value}").unwrap_or_default();
    }
}
