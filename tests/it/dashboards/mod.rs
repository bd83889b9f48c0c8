//! Holds `dashboards/` to what the daemon exports, to the rules of Grafana's own linter, and to
//! answers of a real Prometheus.

mod contract;
mod deliver;
mod expression;
mod history;
mod lint;
mod live;
mod made_up;
mod model;
mod rendered;
mod story;
