//! Two Kubernetes clusters may have archives of the same names. The label `cluster`, which a scrape or a
//! ruler adds, tells them apart, so no rule may drop it on the way. What then fires is in
//! `alerts/tests/fleet.yaml`.

use promql_parser::label::Labels;
use promql_parser::parser::Expr;
use promql_parser::parser::LabelModifier;
use promql_parser::util::ExprVisitor;
use promql_parser::util::walk_expr;

use crate::alerts::expressions::parse;
use crate::alerts::rules::RuleFile;
use crate::alerts::runbooks::queries;

#[test]
fn every_expression_tells_kubernetes_clusters_apart() {
    for (name, expression) in RuleFile::read().expressions() {
        assert_eq!(mixing(expression), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn an_expression_that_mixes_kubernetes_clusters_is_noticed() {
    for (mixed, place) in [
        ("max by (cnpg_cluster) (x) > 0", "by (cnpg_cluster)"),
        ("max(x) > 0", "max"),
        ("x > 0 unless on (object_store) y == 0", "on (object_store)"),
        ("x > 0 unless ignoring (cluster) y == 0", "ignoring (cluster)"),
    ] {
        assert_eq!(mixing(mixed), [place], "{mixed}");
    }
}

/// They are asked where the alert came from, which may be of all Kubernetes clusters.
#[test]
fn every_query_of_a_runbook_tells_kubernetes_clusters_apart() {
    for (path, query) in queries() {
        assert_eq!(mixing(&query), Vec::<String>::new(), "{}", path.display());
    }
}

/// The aggregations and matchings of an expression that do not keep `cluster`.
fn mixing(expression: &str) -> Vec<String> {
    let mut mixing = Mixing::default();
    walk_expr(&mut mixing, &parse(expression)).unwrap();
    mixing.0
}

#[derive(Default)]
struct Mixing(Vec<String>);

impl ExprVisitor for Mixing {
    type Error = String;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, String> {
        match expression {
            Expr::Aggregate(aggregate) => match &aggregate.modifier {
                Some(LabelModifier::Include(labels)) => self.judge("by", labels),
                _ => self.0.push(aggregate.op.to_string()),
            },
            Expr::Binary(binary) => {
                match binary.modifier.as_ref().and_then(|it| it.matching.as_ref()) {
                    // A part that has no labels, as nothing that is absent has.
                    Some(LabelModifier::Include(labels)) if labels.labels.is_empty() => {
                        return Ok(!is_absence(&binary.lhs));
                    }
                    Some(LabelModifier::Include(labels)) => self.judge("on", labels),
                    Some(LabelModifier::Exclude(labels)) => {
                        self.0.push(format!("ignoring ({})", labels.labels.join(", ")));
                    }
                    None => {}
                }
            }
            _ => {}
        }
        Ok(true)
    }
}

impl Mixing {
    fn judge(&mut self, word: &str, labels: &Labels) {
        if !labels.labels.iter().any(|label| label == "cluster") {
            self.0.push(format!("{word} ({})", labels.labels.join(", ")));
        }
    }
}

fn is_absence(expression: &Expr) -> bool {
    matches!(expression, Expr::Call(call) if call.func.name == "absent")
}
