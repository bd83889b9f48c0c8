//! What a linter for rules says, by the checks of Cloudflare's pint that concern us
//! (`cloudflare/pint:docs/checks/`): `alerts/template`, `alerts/comparison`, `alerts/absent`,
//! `promql/fragile`, and that no label of the scraped pod is left, but that of the Kubernetes cluster is.

use std::collections::BTreeSet;

use promql_parser::label::Labels;
use promql_parser::parser;
use promql_parser::parser::AggregateExpr;
use promql_parser::parser::BinaryExpr;
use promql_parser::parser::Call;
use promql_parser::parser::Expr;
use promql_parser::parser::LabelModifier;
use promql_parser::parser::VectorSelector;

use crate::alerts::rules::Alert;
use crate::alerts::rules::RuleFile;

/// What an alert can be about. `namespace` is the scraped daemon's, where none of a cluster is.
/// `cluster` is the Kubernetes cluster, where a scrape or a ruler says it.
const SUBJECTS: [&str; 8] = [
    "cluster",
    "cnpg_namespace",
    "cnpg_cluster",
    "server_name",
    "code",
    "kind",
    "object_store",
    "namespace",
];

/// The labels that the result of an expression can have.
#[derive(Clone, Debug, PartialEq)]
enum Carried {
    /// A number, which has none.
    Scalar,
    /// Whatever the series has, the labels of the scraped pod included.
    Any,
    Only(BTreeSet<String>),
}

#[test]
fn no_alert_carries_a_label_of_the_scraped_pod() {
    for (name, expression) in RuleFile::read().expressions() {
        let Carried::Only(labels) = carried(&parse(expression)) else {
            panic!("{name}: some labels are not aggregated away: {expression}")
        };
        let other: Vec<&String> =
            labels.iter().filter(|label| !SUBJECTS.contains(&label.as_str())).collect();
        assert!(other.is_empty(), "{name} carries {other:?}");
    }
}

#[test]
fn every_label_in_a_template_survives_the_aggregation() {
    for alert in RuleFile::read().alerts() {
        assert_eq!(lost_labels(alert), Vec::<String>::new(), "{}", alert.alert);
    }
}

#[test]
fn a_label_that_the_aggregation_drops_is_noticed() {
    let mut alert =
        RuleFile::read().alerts().find(|it| it.alert == "BackupWALGap").unwrap().clone();
    alert.annotations.insert("also".to_owned(), "{{ $labels.pod }}, {{$labels.code}}".to_owned());
    assert_eq!(lost_labels(&alert), ["pod", "code"]);
}

#[test]
fn every_alert_compares_something() {
    for alert in RuleFile::read().alerts() {
        let expression = parse(&alert.expr);
        // A vector in itself is a condition for these, and needs no comparison.
        let is_absent = alert.expr.starts_with("absent(");
        assert!(is_absent || is_condition(&expression), "{}: {}", alert.alert, alert.expr);
    }
}

#[test]
fn an_alert_on_absence_waits_for_restarts() {
    let file = RuleFile::read();
    let mut absences = file.alerts().filter(|alert| alert.expr.contains("absent("));
    let absence = absences.next().unwrap();
    assert_eq!((absence.alert.as_str(), absence.wait.as_str()), ("BackupVerifierAbsent", "15m"));
    assert!(absences.next().is_none());
}

/// A metric of another target may be gone while ours is there, after a restart of Prometheus say.
/// Then nothing may follow from it but that an alert is quiet.
#[test]
fn metrics_of_others_only_narrow_an_alert_down() {
    for (name, expression) in RuleFile::read().expressions() {
        let mut foreign = Vec::new();
        walk(&parse(expression), Role::Deciding, &mut |selector, role| {
            let metric = selector.name.clone().unwrap();
            if metric.starts_with("cnpg_") && role == Role::Deciding {
                foreign.push(metric);
            }
        });
        assert!(foreign.is_empty(), "{name} needs {foreign:?}");
    }
}

/// What a template names and the expression does not carry, in the order of the templates.
fn lost_labels(alert: &Alert) -> Vec<String> {
    let Carried::Only(labels) = carried(&parse(&alert.expr)) else { return Vec::new() };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let templates = alert.templates();
    let named = templates
        .flat_map(|text| text.split("$labels.").skip(1))
        .map(|rest| rest.split(|c: char| !is_word(c)).next().unwrap().to_owned());
    named.filter(|label| !labels.contains(label)).collect()
}

fn is_condition(expression: &Expr) -> bool {
    match expression {
        Expr::Paren(inner) => is_condition(&inner.expr),
        Expr::Aggregate(aggregate) => is_condition(&aggregate.expr),
        Expr::Binary(binary) => match binary.op.to_string().as_str() {
            "or" => is_condition(&binary.lhs) && is_condition(&binary.rhs),
            "and" => is_condition(&binary.lhs) || is_condition(&binary.rhs),
            "unless" => is_condition(&binary.lhs),
            _ => binary.op.is_comparison_operator() && !binary.return_bool(),
        },
        _ => false,
    }
}

fn carried(expression: &Expr) -> Carried {
    match expression {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Carried::Scalar,
        Expr::Paren(inner) => carried(&inner.expr),
        Expr::Unary(inner) => carried(&inner.expr),
        Expr::Aggregate(aggregate) => of_aggregate(aggregate),
        Expr::Binary(binary) => of_binary(binary),
        Expr::Call(call) => of_call(call),
        Expr::VectorSelector(_) | Expr::MatrixSelector(_) => Carried::Any,
        Expr::Subquery(_) | Expr::Extension(_) => Carried::Any,
    }
}

fn of_aggregate(aggregate: &AggregateExpr) -> Carried {
    match &aggregate.modifier {
        None => Carried::Only(BTreeSet::new()),
        Some(LabelModifier::Include(labels)) => Carried::Only(set(labels)),
        Some(LabelModifier::Exclude(_)) => Carried::Any,
    }
}

fn of_binary(binary: &BinaryExpr) -> Carried {
    let (left, right) = (carried(&binary.lhs), carried(&binary.rhs));
    match (binary.op.to_string().as_str(), left, right) {
        // Either side can be what comes out. No template relies on `cluster`.
        ("or", Carried::Only(left), Carried::Only(right)) => {
            let is_kept = |label: &&String| right.contains(*label) || *label == "cluster";
            let cluster = right.iter().filter(|label| *label == "cluster");
            Carried::Only(left.iter().filter(is_kept).chain(cluster).cloned().collect())
        }
        ("and" | "unless", left, _) => left,
        (_, Carried::Scalar, other) | (_, other, Carried::Scalar) => other,
        (_, left, _) => match binary.modifier.as_ref().and_then(|it| it.matching.clone()) {
            None => left,
            Some(LabelModifier::Include(labels)) => Carried::Only(set(&labels)),
            Some(LabelModifier::Exclude(_)) => Carried::Any,
        },
    }
}

fn of_call(call: &Call) -> Carried {
    match call.func.name {
        "time" => Carried::Scalar,
        // The labels of its matchers, of which ours has none.
        "absent" => Carried::Only(BTreeSet::new()),
        _ => call.args.args.first().map_or(Carried::Any, |argument| carried(argument)),
    }
}

/// What follows if a selector finds nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    /// The alert is quiet.
    Narrowing,
    /// Anything.
    Deciding,
}

/// Shows every selector of an expression.
pub(super) fn walk(expression: &Expr, role: Role, show: &mut impl FnMut(&VectorSelector, Role)) {
    match expression {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
        Expr::Paren(inner) => walk(&inner.expr, role, show),
        Expr::Unary(inner) => walk(&inner.expr, role, show),
        Expr::Subquery(inner) => walk(&inner.expr, role, show),
        Expr::Aggregate(aggregate) => walk(&aggregate.expr, role, show),
        Expr::Binary(binary) => {
            let right = if binary.op.to_string() == "and" { Role::Narrowing } else { role };
            walk(&binary.lhs, role, show);
            walk(&binary.rhs, right, show);
        }
        Expr::Call(call) => {
            call.args.args.iter().for_each(|argument| walk(argument, role, show));
        }
        Expr::VectorSelector(selector) => show(selector, role),
        Expr::MatrixSelector(matrix) => show(&matrix.vs, role),
    }
}

pub(super) fn parse(expression: &str) -> Expr {
    parser::parse(expression).unwrap_or_else(|error| panic!("{error}: {expression}"))
}

fn set(labels: &Labels) -> BTreeSet<String> {
    labels.labels.iter().cloned().collect()
}
